"""Online-tuned linear solvers, after "Learning to Relax" (arXiv 2310.02246): solvers, learners, experiments.

Equation and section numbers in this room are the paper's. Nothing here knows about pictures.
"""
