"""The straight line. Read this first.

    pull ──bell──► parse ──bell──► dedupe ──► storage queue ──► store

Each function below is one stage for one unit of work; `worker/tasks.py` wraps each in a Celery task, and the tests
call them directly. What makes them safe is the ledger (`worker/state/ledger.py`): a stage *claims* a batch, works on
values with pure functions, and records the outcome in one atomic step. Whatever is killed in between, the claim's
lease lapses and the sweeper rings again. A bell carries an id and nothing else; losing one costs time, never data.

The last stage, store, is a loop of its own: `worker/store/writer.py`.
"""

from __future__ import annotations

import asyncio
import math
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from worker.dedupe.records import Candidate, make_candidate
from worker.desk import Desk, StageTask, hold, hold_source
from worker.errors import CopydeskError, Failed, Rejected
from worker.intake.http import HttpClient, door_for
from worker.intake.polling import GROUP, Polling
from worker.intake.pull import pull_source
from worker.limits import cpu_time_limit
from worker.model import LANES, Article, Document, Refusal
from worker.parse.document import parse_document
from worker.state.codec import Item
from worker.state.keys import PARSED, RECEIVED, Stage
from worker.state.ledger import Buried, Claim, lane_of
from worker.state.memory import rules_for

MOST_DELIVERIES = 3
"""A document that was delivered alone this often without a verdict is buried (its worker died each time)."""
SUSPECT_DELIVERIES = 2
"""A batch that was delivered this often without a verdict is taken apart, so that one bad document stands alone."""
RETRY_SECONDS = 5.0
"""How soon a source is pulled again where not the source but the state server or the spool failed."""
MOST_POLL_BELLS = 16
"""Most bells that ask for feeds to be polled, whatever is due: one for each process that polls is enough."""
SWEEP_BATCHES = 1000
"""Most batches one sweep rings for, per stage and lane."""
ORPHAN_SECONDS = 7 * 86_400.0
"""A spool object this old that no batch or letter holds was left by a crash between writing and receiving
(a paused intake may hold one for days)."""
STAGE_TASKS: dict[Stage, StageTask] = {RECEIVED: "parse", PARSED: "dedupe"}
"""Which task a batch in a stage waits for."""

log = structlog.get_logger()


def tick(desk: Desk) -> int:
    """Ring for every source that is due; returns how many.

    Two ticks at once are harmless: each source is leased, and feeds are leased by who polls them.
    """
    back_seconds = desk.clock.mind()
    if back_seconds:
        log.warning("clock_stepped_back", seconds=round(back_seconds))
    if desk.pauses.why("pull"):
        return 0
    due = desk.sources.pop_due()
    for source_id in due:
        source = desk.sources.get(source_id)
        if source is not None:
            desk.ring("pull", source.lane, source_id)
    feeds = desk.feeds.due()
    # A bell for each group, so that all who poll come; who comes takes what is due then, whatever rang.
    for _ in range(min(MOST_POLL_BELLS, math.ceil(feeds / GROUP)) - (desk.bells.depth("poll", "news") if feeds else 0)):
        desk.ring("poll", "news", "due")
    return len(due) + feeds


def poll(desk: Desk, _: str = "due") -> int:
    """Poll the feeds that are due, until none is or the time of a task is half over; returns how many.

    Whoever is rung takes what is due at that moment, so bells may be lost, come twice or come late.
    """
    if not desk.feeds.due():
        return 0
    polling = Polling(
        desk.settings,
        desk.feeds,
        desk.hosts,
        desk.spool,
        desk.settle,
        HttpClient(desk.settings.feeds.user_agent, door_for(desk.settings.feeds.ca_file)),
        desk.stopping,
        lambda source: desk.intake_of(source).paused(),
    )
    return asyncio.run(polling.run(desk.settings.workers.task_seconds / 2))


def pull(desk: Desk, source_id: str) -> None:
    """Bring in what is new at one source: bytes into the ledger, then the source acknowledged."""
    source = desk.sources.get(source_id)
    if source is None or not source.enabled or not desk.sources.take(source_id):
        return
    with hold_source(desk, source_id):
        try:
            result = pull_source(source, desk.intake_of(source), desk.settings, desk.spool, datetime.now(UTC))
            problem, next_seconds, more = result.problem, result.next_due_seconds, result.more
            if result.documents or problem:
                log.info("pulled", source=source_id, documents=result.documents, problem=problem)
        except CopydeskError as error:
            problem, next_seconds, more = str(error), RETRY_SECONDS, True
            log.warning("pull_failed", source=source_id, error=problem)
    if desk.sources.get(source_id) is None:
        # Removed while it was pulled: what the pull remembered must not outlive it.
        desk.note(source_id, dict.fromkeys(desk.recall(source_id), ""))
        return
    desk.sources.note(
        source_id, {"pulled_at": f"{time.time():.3f}", "problem": problem or "", "more": "1" if more else ""}
    )
    desk.sources.finish(source_id, next_seconds)


def parse(desk: Desk, batch_id: str) -> None:
    """Turn a received batch into articles; what gives none becomes a dead letter, and its neighbours go on."""
    claim = _claim(desk, batch_id, RECEIVED)
    if claim is None or _set_apart(desk, claim):
        return
    with hold(desk, claim):
        items: list[Item] = []
        buried: list[Buried] = []
        for index, document in enumerate(claim.batch.documents):
            for found in parse_one(desk, document):
                if isinstance(found, Article):
                    items.append(Item(index, found))
                else:
                    buried.append(Buried(index, found))
        if _may_not_bury(desk, claim, buried, len(items)):
            return
        freed = desk.ledger.advance(claim, items, buried)
    _after_advance(desk, claim, freed, goes_on=bool(items))


def parse_one(desk: Desk, document: Document) -> list[Article | Refusal]:
    """All that one document gives, under the limits for one document. Never raises for what is in the bytes."""
    if document.refused is not None:
        return [document.refused]
    if document.size_bytes > desk.settings.limits.document_bytes:
        return [Refusal(verdict="rejected", code="too_large", detail=f"{document.size_bytes} bytes")]
    try:
        content = desk.read(document)
        with cpu_time_limit(desk.settings.limits.parse_seconds):
            return parse_document(document, content)
    except Rejected as error:
        return [Refusal(verdict="rejected", code=error.code, detail=error.detail)]
    except Failed as error:
        return [Refusal(verdict="dead", code=error.code, detail=error.detail)]
    except MemoryError:
        detail = f"parsing needed more than {desk.settings.limits.parse_memory_bytes} bytes"
        return [Refusal(verdict="dead", code="out_of_memory", detail=detail)]


def dedupe(desk: Desk, batch_id: str) -> None:
    """Give every article of a parsed batch its verdict and publish what is new: one atomic step per run of articles."""
    claim = _claim(desk, batch_id, PARSED)
    if claim is None or _set_apart(desk, claim):
        return
    with hold(desk, claim):
        candidates, buried = _candidates(claim)
        if buried:
            broken = {entry.document for entry in buried}
            sound = [item for index, item in enumerate(claim.items) if index >= claim.progress and index not in broken]
            refusals = [Buried(claim.items[entry.document].document, entry.refusal) for entry in buried]
            if _may_not_bury(desk, claim, refusals, len(sound)):
                return
            freed = desk.ledger.advance(claim, sound, refusals)
            _after_advance(desk, claim, freed, goes_on=bool(sound))
            return
        rules = rules_for(desk.settings, desk.sources.get(claim.batch.source_id))
        published = desk.memory.publish(claim, candidates, rules)
    desk.drop_spooled(published.freed)
    log.info("published", batch=batch_id, source=claim.batch.source_id, articles=len(published.verdicts))


def sweep(desk: Desk) -> int:
    """Ring again for what waits without a bell; returns for how many batches. Also clears what crashes left behind."""
    rung = sum(_ring_again(desk, stage, task) for stage, task in STAGE_TASKS.items())
    desk.drop_spooled([ref for ref in map(desk.letters.purge, desk.letters.expired()) if ref])
    desk.spool.remove_unfinished(ORPHAN_SECONDS)
    for reference in desk.spool.references_older_than(ORPHAN_SECONDS):
        if not desk.ledger.holds(reference):
            desk.spool.delete(reference)
    return rung


def _ring_again(desk: Desk, stage: Stage, task: StageTask) -> int:
    """Ring for batches of a stage beyond those whose bells wait; news first. Bells may wait in either lane's queue."""
    lanes = [lane for lane in LANES if desk.pauses.why(task, lane) is None]
    silent = sum(desk.ledger.waiting(stage, lane) for lane in lanes) - sum(
        desk.bells.depth(task, lane) for lane in LANES
    )
    rung = 0
    for lane in lanes:
        if silent <= rung:
            break
        overdue = desk.ledger.overdue(stage, lane, min(silent - rung, SWEEP_BATCHES))
        owners = desk.ledger.sources_of(overdue)
        queues = {source_id: desk.queue_lane(source_id, lane) for source_id in set(owners)}
        for batch_id, source_id in zip(overdue, owners, strict=True):
            desk.ring(task, queues[source_id], batch_id)
        rung += len(overdue)
    return rung


def _claim(desk: Desk, batch_id: str, stage: Stage) -> Claim | None:
    """The batch, unless its stage or lane is paused: then the bell is let go, and the sweeper rings after the pause."""
    if desk.pauses.why(STAGE_TASKS[stage], lane_of(batch_id)):
        return None
    return desk.ledger.claim(batch_id, stage)


def _set_apart(desk: Desk, claim: Claim) -> bool:
    """Deal with a batch that was delivered before and never came back; True where it needs no work now."""
    alone = claim.remaining == 1
    if alone and claim.deliveries > MOST_DELIVERIES:
        item = claim.items[claim.progress] if claim.items else None
        index, member = (item.document, item.article.member) if item else (0, None)
        detail = f"{claim.deliveries - 1} deliveries ended without a verdict"
        poison = Refusal(verdict="dead", code="poison", detail=detail, member=member)
        if _may_not_bury(desk, claim, [Buried(index, poison)], 0):
            return True
        desk.drop_spooled(desk.ledger.advance(claim, [], [Buried(index, poison)]) or [])
        log.error("buried", batch=claim.batch.id, origin=claim.batch.documents[index].origin)
        return True
    if not alone and claim.deliveries > SUSPECT_DELIVERIES:
        children, freed = desk.ledger.split(claim)
        desk.drop_spooled(freed)
        log.warning("split", batch=claim.batch.id, into=len(children))
        for child_id in children:
            desk.ring(STAGE_TASKS[claim.stage], desk.queue_lane(claim.batch.source_id, claim.batch.lane), child_id)
        return True
    return False


def _may_not_bury(desk: Desk, claim: Claim, buried: Sequence[Buried], sound: int) -> bool:
    """True where too many die: the stage is paused now, and the batch handed back."""
    dead = sum(entry.refusal.verdict == "dead" for entry in buried)
    reason = desk.burials.refuse(STAGE_TASKS[claim.stage], dead, sound)
    if reason is None:
        return False
    desk.ledger.hand_back(claim)
    log.error("stage_paused", stage=STAGE_TASKS[claim.stage], reason=reason)
    return True


def _after_advance(desk: Desk, claim: Claim, freed: list[str] | None, *, goes_on: bool) -> None:
    if freed is None:
        log.warning("lease_lost", batch=claim.batch.id, stage=claim.stage)
        return
    desk.drop_spooled(freed)
    if goes_on:
        desk.ring("dedupe", desk.queue_lane(claim.batch.source_id, claim.batch.lane), claim.batch.id)


def _candidates(claim: Claim) -> tuple[list[Candidate], list[Buried]]:
    """Fingerprint the articles that wait; `Buried.document` is the index of the item that could not be."""
    candidates: list[Candidate] = []
    buried: list[Buried] = []
    now = datetime.now(UTC)
    for index, item in enumerate(claim.items[claim.progress :], claim.progress):
        document = claim.batch.documents[item.document]
        try:
            candidates.append(make_candidate(item.article, document, claim.batch.lane, now))
        except Exception as error:  # noqa: BLE001  # any fault is this article's own: buried with its traceback
            refusal = Refusal(
                verdict="dead",
                code="dedupe_error",
                detail=f"{type(error).__name__}: {error}",
                traceback=traceback.format_exc(),
                member=item.article.member,
            )
            buried.append(Buried(index, refusal))
    return candidates, buried
