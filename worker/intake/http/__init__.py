"""HTTP: the one door to the network, and safe GETs through it.

FetchRequest ──HttpClient.fetch──► urls (may it be asked?) ─► door (resolve, check, dial) ─► expand ─► FetchAnswer
"""

from worker.intake.http.client import HttpClient
from worker.intake.http.door import Door, door_for, tls_context
from worker.intake.http.messages import Admit, FetchAnswer, FetchRequest
from worker.intake.http.urls import normal_host, parse_target, without_credentials

__all__ = [
    "Admit",
    "Door",
    "FetchAnswer",
    "FetchRequest",
    "HttpClient",
    "door_for",
    "normal_host",
    "parse_target",
    "tls_context",
    "without_credentials",
]
