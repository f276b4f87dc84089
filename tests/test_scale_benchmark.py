"""The simulation of replicas, against what must be true of any."""

import pytest

pytest.importorskip("simpy", reason="SimPy is not installed: pip install 'handful[bench]'")

from benchmarks.scale.costs import Costs
from benchmarks.scale.measure import delays, fixed_and_job
from benchmarks.scale.plan import Outcome, Plan
from benchmarks.scale.simulation import simulate
from benchmarks.scale.sizing import DAY_S, SWING, Draw, rate_at

MS = 1e-3
COSTS = Costs(
    predict_api_s=1 * MS, predict_redis_s=0, predict_worker_s=0.5 * MS, predict_batch_s=0, miss_api_s=0, miss_redis_s=0,
    miss_worker_s=1 * MS, adapt_api_s=1 * MS, adapt_redis_s=0, adapt_worker_s=4 * MS, adapt_batch_s=0, api_turn_s=0,
    client_s=0, predict_bytes=0, adapt_bytes=0, state_bytes=0, client_bytes=0, delays_s=[0],
)  # fmt: skip


def ran(warm: int = 1000, costs: Costs = COSTS, **options: float) -> Outcome:
    return simulate(Plan(seconds=3)._replace(**options), costs, warm)


def test_one_client_waits_for_its_own_work_only():
    found = ran(loops=1, clients=1)
    assert found.ms(0.5) == pytest.approx(1.5)
    assert found.rate() == pytest.approx(1000 / 1.5, rel=0.01)


def test_the_slowest_process_bounds_the_rate():
    assert ran(rate=900).rate() == pytest.approx(900, rel=0.1)
    assert ran(adapts=1).rate() == pytest.approx(250, rel=0.05)
    assert ran(cores=1).rate() == pytest.approx(1000 / 1.5, rel=0.02)


def test_two_replicas_do_twice_as_much_only_with_cores_of_their_own():
    assert ran(replicas=2).rate() == pytest.approx(2000, rel=0.1)
    assert ran(replicas=2, cores=1, shared=True).rate() == pytest.approx(667, rel=0.02)


def test_a_batch_costs_less_than_its_jobs_alone():
    costs = COSTS._replace(predict_api_s=0, predict_batch_s=4 * MS)
    alone, together = (ran(costs=costs, loops=loops).rate() for loops in (1, 16))
    assert together > 4 * alone


def test_affinity_finds_more_states():
    plan = Plan(replicas=4, clients=1000, cached=250, rate=500)
    near, far = (simulate(plan._replace(affinity=affinity), COSTS, warm=10_000) for affinity in (True, False))
    assert near.hits > 3 * far.hits
    assert near.ms(0.5) < far.ms(0.5)


def test_a_replica_that_dies_fails_requests_until_it_is_noticed():
    plan = Plan(replicas=4, clients=1000, rate=400, dies_at=5, down_s=10, noticed_s=1)
    found = simulate(plan, COSTS, warm=10_000)
    assert found.failed == pytest.approx(100, rel=0.5)
    assert len(found.predicts) + found.failed == pytest.approx(400 * plan.seconds, rel=0.1)


def test_the_costs_of_a_batch_and_of_a_job_come_from_two_loads():
    alone, together = {"worker": 3.0, "batch": 1}, {"worker": 1.2, "batch": 10}
    assert fixed_and_job(alone, together, "worker") == (pytest.approx(2), pytest.approx(1))


def test_a_closed_loop_goes_through_an_event_loop_and_the_worker_as_one_crowd():
    """The answers of a batch come together, and so do the next requests: API and worker take turns."""
    apart, together = (ran(costs=COSTS._replace(predict_worker_s=0.5 * MS), loops=loops) for loops in (1, 16))
    assert together.ms(0.5) == pytest.approx(16 * apart.ms(0.5), rel=0.2)


def test_a_turn_costs_less_than_its_requests_alone():
    costs = COSTS._replace(predict_api_s=0, predict_worker_s=0, api_turn_s=1 * MS)
    alone, together = (ran(costs=costs, loops=loops).rate() for loops in (1, 16))
    assert together > 4 * alone


def test_delays_lengthen_a_request_and_leave_a_busy_process_alone():
    slow = COSTS._replace(delays_s=[1 * MS])
    assert ran(loops=1, costs=slow).ms(0.5) == pytest.approx(1.5 + 5)  # the load generator is another machine
    assert ran(rate=900, costs=slow).rate() == pytest.approx(900, rel=0.1)


def test_delays_are_what_a_lone_request_takes_beyond_its_work():
    alone = {"api": 0.001, "worker": 0.001, "redis": 0.0005, "client": 0.0005}
    found = delays(alone, [3.0] * 50 + [9.0] * 50)
    assert (found[0], found[-1]) == (0, pytest.approx(0.001))


def test_the_day_has_the_mean_rate():
    rates = [rate_at(10, hour) for hour in range(24)]
    assert sum(rates) / 24 == pytest.approx(10)
    assert max(rates) == pytest.approx(10 * (1 + SWING))
    assert DAY_S == 24 * 3600


def test_a_tenth_of_the_clients_sends_half_of_the_requests():
    draw = Draw(1000)
    counts = [0] * 1000
    for _ in range(20_000):
        counts[draw()] += 1
    assert 0.4 < sum(sorted(counts)[-100:]) / 20_000 < 0.7
