"""`python -m local check`: live, step by step, whether what is configured works, and what to do where not.

`report` runs the steps and tells them; `causes` knows why a step fails and what mends it; `replicate`,
`webhook_address` and `time_limits` look at the provider's side, `generation` at a whole system's.
"""
