"""What is held to be true of endpoints and regions: the rules, and everything that they count.

`table` is the way in: `HealthTable.feed` takes a probe result and says what turned and which probe is due next out of
turn. Beneath it stand the rules (`endpoint`, `region`, `isolation`), what the vantage counts to judge itself
(`vantage`), and what is known of each policy (`policy_health`). Time comes in as an argument.
"""
