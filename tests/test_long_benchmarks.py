"""The tables about long runs and many clients."""

from benchmarks.report_long import growth, soak

SLICE = {
    "predict_p50_ms": 3.4, "predict_p99_ms": 20.1, "predict_failures": 1, "adapt_p50_ms": 9.0, "adapt_p99_ms": 31.0,
    "adapt_failures": 2, "api_mb": 100.2, "worker_mb": 200.0, "redis_mb": 300.0, "killed": "worker",
}  # fmt: skip


def test_a_slice_of_the_soak_shows_latencies_failures_and_memory():
    assert "| 1 | worker | 3, 20 | 9, 31 | 3 | 100 | 200 | 300 |" in soak([SLICE])


def test_calls_are_shown_by_the_number_of_clients():
    shown = growth({"1000": {"predict": 4.2}, "200000": {"predict": 5.0}})
    assert "1,000 clients | 200,000 clients" in shown
    assert "| predict | 4 | 5 |" in shown
