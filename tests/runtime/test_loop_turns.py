"""Much to do at once: a few begin in each turn of the loop, the most urgent first, and others have theirs between."""

import asyncio
import gc
from functools import partial
from itertools import pairwise

from support.stage import NORMAL, Stage, playing, policy
from support.virtual import until, virtually

from failoverd.ports import Urgency
from failoverd.runtime.agenda import Agenda
from failoverd.runtime.loop_turns import AT_ONCE, LoopTurns, QueuedTurn
from failoverd.simulation.virtual_time import now

MANY = 5 * AT_ONCE


@virtually
async def test_the_most_urgent_begin_first_and_a_few_in_each_turn_of_the_loop() -> None:
    turns, begun = LoopTurns(), list[str]()
    for number in range(MANY):
        turns.ask(Urgency.ROUTINE, partial(begun.append, f"routine {number}"))
    turns.ask(Urgency.CHANGE, partial(begun.append, "change"))
    turns.ask(Urgency.FAIL_OUT.of_tier(2), partial(begun.append, "pilot fails out"))
    turns.ask(Urgency.FAIL_OUT.of_tier(1), partial(begun.append, "prod fails out"))
    await asyncio.sleep(0)
    assert begun[:3] == ["prod fails out", "pilot fails out", "change"]
    assert len(begun) == AT_ONCE


@virtually
async def test_who_has_waited_longest_begins_however_many_are_more_urgent() -> None:
    """Else a thousand targets whose provider refuses all that is urgent would keep everybody else waiting for ever."""
    turns, begun = LoopTurns(), list[str]()
    for number in range(3):
        turns.ask(Urgency.ROUTINE, partial(begun.append, f"routine {number}"))
    for number in range(MANY):
        turns.ask(Urgency.FAIL_OUT, partial(begun.append, f"urgent {number}"))
    for _ in range(3):
        await asyncio.sleep(0)
    assert [each for each in begun if each.startswith("routine")] == ["routine 0", "routine 1", "routine 2"]
    assert begun.index("routine 2") == 3 * AT_ONCE - 1


@virtually
async def test_nothing_is_kept_of_turns_that_are_over_however_long_more_urgent_ones_wait() -> None:
    """A provider that refuses for a day all that is urgent of a thousand targets fills no memory."""
    turns, begun = LoopTurns(), list[str]()
    beginning = sum(isinstance(each, QueuedTurn) for each in gc.get_objects())

    async def urgent() -> None:
        while True:
            come = asyncio.Event()
            turns.ask(Urgency.FAIL_OUT, come.set)
            await come.wait()

    tasks = [asyncio.create_task(urgent()) for _ in range(MANY)]
    for _ in range(20 * MANY):
        begun.clear()
        turns.ask(Urgency.ROUTINE, partial(begun.append, "routine"))
        await until(lambda: begun)
    assert sum(isinstance(each, QueuedTurn) for each in gc.get_objects()) - beginning < 10 * MANY
    for task in tasks:
        task.cancel()


@virtually
async def test_one_that_fails_or_was_given_up_holds_up_nobody() -> None:
    turns, begun = LoopTurns(), list[str]()
    turns.ask(Urgency.FAIL_OUT, partial(begun.append, "given up")).cancel()
    turns.ask(Urgency.FAIL_OUT, partial(_fail, "defect"))
    turns.ask(Urgency.ROUTINE, partial(begun.append, "routine"))
    loop = asyncio.get_running_loop()
    complaints: list[object] = []
    loop.set_exception_handler(lambda _, context: complaints.append(context["exception"]))
    await until(lambda: begun)
    assert (begun, [str(each) for each in complaints]) == (["routine"], ["defect"])


@virtually
async def test_news_comes_before_routine_that_waits_for_its_turn_already() -> None:
    """The one that is called once more, and urgently, while it waits for its turn goes before all others."""
    turns, begun, woken = LoopTurns(), list[int](), now()
    agendas = [Agenda(turns) for _ in range(MANY)]

    async def work(number: int) -> None:
        urgency = await agendas[number].next()
        begun.append(number)
        assert urgency is (Urgency.FAIL_OUT if number == MANY - 1 else Urgency.ROUTINE)

    tasks = [asyncio.create_task(work(number)) for number in range(MANY)]
    for agenda in agendas:
        agenda.call(Urgency.ROUTINE)
    await asyncio.sleep(0)
    agendas[-1].call(Urgency.FAIL_OUT)
    await asyncio.gather(*tasks)
    assert begun[0] == MANY - 1
    assert (sorted(begun), now()) == (list(range(MANY)), woken)


@virtually
async def test_among_many_policies_that_are_woken_the_urgent_one_is_first_and_a_heartbeat_has_its_turns() -> None:
    """A tick has all of them decide, which takes seconds; nobody is to wait for the last of them."""
    many = [policy(f"p{number}") for number in range(MANY)]
    urgent = many[-1].name
    async with playing(*many) as stage:
        await until(lambda: all(stage.shares(each) == NORMAL for each in many) and not _at_work(stage))
        begun: list[set[str]] = [set()]

        async def beat() -> None:
            while len(begun[-1]) < MANY:
                begun.append(begun[-1] | _at_work(stage))
                await asyncio.sleep(0)

        for each in many:
            stage.wake(each.name, Urgency.ROUTINE)
        stage.wake(urgent, Urgency.FAIL_OUT)
        await beat()
    first = next(each for each in begun if each)
    assert urgent in first
    assert max(len(after - before) for before, after in pairwise(begun)) == AT_ONCE


def _at_work(stage: Stage) -> set[str]:
    return {name for name, reconciler in stage.reconcilers.items() if reconciler.busy}


def _fail(words: str) -> None:
    raise ValueError(words)
