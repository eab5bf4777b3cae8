"""User and password by Adobe's challenge: what librtmp and FFmpeg compute is let in, and nothing else."""

import pytest

from sdstream.sources.rtmp_server.admission.login import ASK, VALID, Login, _digest, query_of


def challenge(login, now=1000.0, user="ann"):
    """Return what the server asks of a publisher that has told its name."""
    return query_of(login.question({"authmod": "adobe", "user": user}, now))


def answer(asked, password, user="ann", challenge2="1a2b3c4d"):
    """Answer as librtmp does (PublisherAuth in rtmp.c)."""
    inner = _digest(user + asked["salt"] + password)
    response = _digest(inner + asked["opaque"] + challenge2)
    return {"user": user, "challenge": challenge2, "response": response, "opaque": asked["opaque"]}


@pytest.mark.parametrize("query", [{}, {"user": "ann"}, {"authmod": "adobe"}, {"authmod": "llnw", "user": "ann"}])
def test_a_publisher_without_a_name_is_asked_for_it(query):
    assert Login("ann", "secret").question(query, 0.0) == ASK


def test_a_name_is_answered_by_a_challenge():
    asked = challenge(Login("ann", "secret"))
    assert (asked["reason"], asked["user"]) == ("needauth", "ann")
    assert asked["salt"]
    assert asked["opaque"] == asked["challenge"]


@pytest.mark.parametrize("password", ["secret", "with space", "пароль", "a&b=c?d+e/f"])
def test_the_right_answer_is_let_in(password):
    login = Login("ann", password)
    assert login.is_answered(answer(challenge(login), password), 1001.0)


def test_the_digest_is_the_base64_of_md5():
    assert _digest("abc") == "kAFQmDzST7DWlj99KOF/cg=="


@pytest.mark.parametrize(
    "change",
    [
        {"user": "bob"},
        {"user": ""},
        {"response": ""},
        {"challenge": "other"},
        {"opaque": ""},
        {"opaque": "3e8." + "0" * 32},
        {"opaque": "f" * 400},
        {"opaque": "ü.ü"},
    ],
    ids=str,
)
def test_a_changed_answer_is_not_let_in(change):
    login = Login("ann", "secret")
    assert not login.is_answered(answer(challenge(login), "secret") | change, 1001.0)


def test_another_password_or_user_is_not_let_in():
    login = Login("ann", "secret")
    assert not login.is_answered(answer(challenge(login), "Secret"), 1001.0)
    assert not login.is_answered(answer(challenge(login, user="bob"), "secret", user="bob"), 1001.0)


def test_an_old_challenge_or_that_of_another_server_is_not_let_in():
    login, other = Login("ann", "secret"), Login("ann", "secret")
    assert not login.is_answered(answer(challenge(login), "secret"), 1000.0 + VALID + 2)
    assert not other.is_answered(answer(challenge(login), "secret"), 1001.0)


def test_parameters_are_read_as_they_are():
    assert query_of("live?authmod=adobe&response=a+b/c==&opaque=") == {
        "authmod": "adobe",
        "response": "a+b/c==",
        "opaque": "",
    }
