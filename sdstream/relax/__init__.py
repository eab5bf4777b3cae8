"""Red-black SOR, and ChebCB, the learner of its omega, after "Learning to Relax" (arXiv 2310.02246).

Equation and section numbers in this room are the paper's. The solvers know nothing of pictures; `stabilise` makes the
systems, and `bench.relax` has the paper's further solvers, learners and experiments. Start reading at `red_black`, then
`chebcb`.
"""
