"""Photographs from the web: which have to be fetched, fetching them in parallel, and TACO as a whole."""

from kerastrash.data.download.config import FetchConfig
from kerastrash.data.download.fetch import Missing, fetch_all
from kerastrash.data.download.plan import Photograph, plan_downloads
from kerastrash.data.download.taco import TacoConfig, prepare_taco

__all__ = [
    "FetchConfig",
    "Missing",
    "Photograph",
    "TacoConfig",
    "fetch_all",
    "plan_downloads",
    "prepare_taco",
]
