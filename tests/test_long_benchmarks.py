"""The tables about long runs and many clients."""

from benchmarks.report_long import growth, soak

SLICE = {
    "predict_p50_ms": 3.4, "predict_p99_ms": 20.1, "predict_failures": 1, "adapt_p50_ms": 9.0, "adapt_p99_ms": 31.0,
    "adapt_failures": 2, "api_mb": 100.2, "worker_mb": 200.0, "redis_mb": 300.0, "killed": "worker",
}  # fmt: skip


def test_ten_minutes_of_the_soak_show_latencies_failures_and_memory():
    quiet = SLICE | {"killed": "", "predict_p99_ms": 8.0, "worker_mb": 210.0}
    shown = soak([SLICE, *[quiet] * 19, quiet])
    assert "| 0 to 10 | 3, 8 | 9, 31 | 3, 20 | 9, 31 | 60 | 100 | 210 | 300 |" in shown
    assert "| 10 to 10 | 3, 8 | 9, 31 | - | - | 3 |" in shown


def test_calls_are_shown_by_the_number_of_clients():
    shown = growth({"1000": {"predict": 4.2}, "200000": {"predict": 5.0}})
    assert "1,000 clients | 200,000 clients" in shown
    assert "| predict | 4 | 5 |" in shown
