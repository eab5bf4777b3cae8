"""The certificates of the machine."""

import ssl

from sdstream.system.certificates import default_ca_file


def test_the_file_that_is_found_really_holds_authorities():
    found = default_ca_file()
    assert found is not None
    assert len(ssl.create_default_context(cafile=str(found)).get_ca_certs()) > 10
