"""Other ways to predict throughput give back what they were made of."""

import pytest

from chatsim.experiments.fidelity.baselines import (
    Demands,
    interpolation,
    mean_value_analysis,
    universal_scalability_law,
)

CLIENTS = [1, 2, 4, 8, 16, 32, 64]


@pytest.mark.parametrize(("contention", "coherency"), [(0.0, 0.0), (0.05, 0.0), (0.02, 0.001)])
def test_a_curve_of_the_universal_scalability_law_is_found_again(contention, coherency):
    def law(n):
        return 100 * n / (1 + contention * (n - 1) + coherency * n * (n - 1))

    throughput = [law(n) for n in CLIENTS]
    assert [universal_scalability_law(CLIENTS, throughput, n) for n in (3, 12, 48)] == pytest.approx(
        [law(n) for n in (3, 12, 48)]
    )


def test_straight_lines_go_through_what_was_measured_and_between():
    throughput = [100.0, 200.0, 400.0]
    assert interpolation([1, 2, 4], throughput, 2) == pytest.approx(200.0)
    assert interpolation([1, 4], [100.0, 400.0], 2) == pytest.approx(200.0)


def test_mean_value_analysis_of_a_single_customer_waits_for_nobody():
    demands = Demands(interpreter=0.1, database=0.2, log=0.3, delay=0.4, cores=2)
    assert mean_value_analysis(demands, 1) == pytest.approx(1 / (0.1 + 0.2 + 0.3 + 0.4))


def test_many_customers_have_the_throughput_of_the_slowest_station():
    demands = Demands(interpreter=0.1, database=0.4, log=0.15, delay=1.0, cores=2)
    assert mean_value_analysis(demands, 1_000) == pytest.approx(1 / 0.2, rel=0.01)


def test_the_demands_of_a_creation_are_its_counts_times_the_costs():
    costs = {
        "client.operation": 7.0,
        "client.request": 1.0,
        "client.statement": 10.0,
        "database.request": 0.125,
        "database.statement": 100.0,
        "database.table": 0.0625,
        "database.record": 1_000.0,
        "database.write": 10_000.0,
        "database.transaction": 100_000.0,
        "database.group": 2.0,
        "database.flush": 0.5,
        "network.link.latency": 0.25,
    }
    counts = {"round_trips_per_op": 3.0, "statements_per_op": 5.0, "rows_examined_per_op": 2.0}
    assert Demands.of(costs, counts, 4) == Demands(
        60.0, 3 * 0.125 + 500.0 + 2 * 0.0625 + 2_000.0 + 40_000.0 + 100_000.0, 2.5, 1.5, 4
    )
