"""What IB calls its tick types.

Rule: the names are those of ``TickTypeEnum`` in IB's own Python client (10.51), in lower case, by position;
a test holds them against the installed client. Types without a name are ``tick_<number>``.
"""

_NAMES = """
    bid_size bid ask ask_size last last_size high low volume close bid_option_computation
    ask_option_computation last_option_computation model_option open low_13_week high_13_week
    low_26_week high_26_week low_52_week high_52_week avg_volume open_interest option_historical_vol
    option_implied_vol option_bid_exch option_ask_exch option_call_open_interest
    option_put_open_interest option_call_volume option_put_volume index_future_premium bid_exch
    ask_exch auction_volume auction_price auction_imbalance mark_price bid_efp_computation
    ask_efp_computation last_efp_computation open_efp_computation high_efp_computation
    low_efp_computation close_efp_computation last_timestamp shortable not_used rt_volume halted
    bid_yield ask_yield last_yield cust_option_computation trade_count trade_rate volume_rate
    last_rth_trade rt_historical_vol ib_dividends bond_factor_multiplier regulatory_imbalance
    news_tick short_term_volume_3_min short_term_volume_5_min short_term_volume_10_min delayed_bid
    delayed_ask delayed_last delayed_bid_size delayed_ask_size delayed_last_size delayed_high
    delayed_low delayed_volume delayed_close delayed_open rt_trd_volume creditman_mark_price
    creditman_slow_mark_price delayed_bid_option delayed_ask_option delayed_last_option
    delayed_model_option last_exch last_reg_time futures_open_interest avg_opt_volume
    delayed_last_timestamp shortable_shares delayed_halted reuters_2_mutual_funds etf_nav_close
    etf_nav_prior_close etf_nav_bid etf_nav_ask etf_nav_last etf_frozen_nav_last etf_nav_high
    etf_nav_low social_market_analytics estimated_ipo_midpoint final_ipo_last delayed_yield_bid
    delayed_yield_ask odd_lot_bid odd_lot_ask odd_lot_bid_size odd_lot_ask_size odd_lot_bid_exch
    odd_lot_ask_exch
""".split()

TICK_TYPES: dict[int, str] = dict(enumerate(_NAMES))
"""Tick type number to name, the known ones."""


def tick_name(tick_type: int) -> str:
    """The ``field`` of a tick type: ``bid`` for 1, ``tick_210`` for a number IB never named."""
    return TICK_TYPES.get(tick_type, f"tick_{tick_type}")
