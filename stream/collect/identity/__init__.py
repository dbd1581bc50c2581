"""``/v1/identity``: operators ask whose something is and why, and say what belongs to what.

request -> access -> what is said: orders (pure) -> Event -> frames -> log
                  -> what is asked: audit (ClickHouse) -> core.identity.book -> explanation, prediction -> JSON
"""
