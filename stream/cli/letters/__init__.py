"""``touchline dead-letters``: what was refused, and sending it again."""
