"""The experiments of Learning to Relax (arXiv 2310.02246).

The room knows the paper's sequences of linear systems, tables of what every omega costs, the solvers and learners
that only the experiments need, and learners at play on these tables. Pictures and video are unknown here. Start
reading at `experiments`.
"""
