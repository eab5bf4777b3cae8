"""The experiments of Learning to Relax (arXiv 2310.02246).

The room knows the paper's sequences of linear systems, tables of every omega's cost, the experiments' own solvers and
learners, and learners at play on the tables. Pictures and video are unknown here. Start
reading at `experiments`.
"""
