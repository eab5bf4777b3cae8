"""Values of AMF0 for hypothesis, and bytes cut into pieces."""

import itertools

from hypothesis import strategies as st

names = st.text(max_size=20)


values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | names,
    lambda inner: st.dictionaries(names.filter(bool), inner, max_size=4),
    max_leaves=8,
)


def split(data, cuts):
    """Cut `data` at some places, as a network does."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[begin:end] for begin, end in itertools.pairwise(places)]
