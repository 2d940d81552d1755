"""`python -m local check`: live, step by step, whether what is configured works, and what to do where not.

`report` runs the steps and tells them; `causes` knows why a step fails and what mends it. `replicate` checks
the provider's side, with `webhook_address`, `time_limits` and one `prediction`; `generation` a `system`.
"""
