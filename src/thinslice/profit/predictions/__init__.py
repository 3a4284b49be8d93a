"""What do predictions earn? A `Case` in; money with a range, every baseline and a verdict out.

Open `evaluation.py` first. A case is made by `decisions.py` or, for recommended lists,
`ranking.py`; `policy.py` decides, `baselines.py` is what it is held against, `kill_rule.py` rules.
"""
