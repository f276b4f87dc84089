"""Which columns of the tables are predicted: tasks to choose on, and tasks to report."""

from typing import NamedTuple


class Task(NamedTuple):
    """A column of a table to predict. `above`: whether a number is above this one."""

    table: str
    target: str
    above: float | None = None


CLASSIFICATION: dict[str, tuple[Task, ...]] = {
    "tables-choice": (
        Task("heart_four_hospitals", "num", 0),
        Task("heart_four_hospitals", "num"),
        Task("heart_four_hospitals", "sex"),
        Task("heart_four_hospitals", "exang"),
        Task("heart_four_hospitals", "cp"),
        Task("hpc_data", "class"),
        Task("hpc_data", "protocol"),
        Task("indo_rct", "outcome"),
        Task("indo_rct", "sod"),
        Task("ames", "Sale_Price", 160_000),
        Task("ames", "Bldg_Type"),
        Task("ames", "MS_Zoning"),
        Task("ames", "Garage_Finish"),
    ),
    "tables-report": (
        Task("credit_data", "Status"),
        Task("credit_data", "Home"),
        Task("credit_data", "Marital"),
        Task("credit_data", "Job"),
        Task("credit_data", "Records"),
        Task("leaf_flavia", "species"),
        Task("leaf_flavia", "apex"),
        Task("leaf_flavia", "shape"),
        Task("opt_birthweight", "Birthweight", 3200),
        Task("opt_birthweight", "Use.Tob"),
        Task("opt_birthweight", "Clinic"),
        Task("opt_birthweight", "Prev.preg"),
    ),
}
REGRESSION: dict[str, tuple[Task, ...]] = {
    "tables-choice": (
        Task("ames", "Sale_Price"),
        Task("ames", "Year_Built"),
        Task("heart_four_hospitals", "thalach"),
        Task("heart_four_hospitals", "age"),
        Task("hpc_data", "input_fields"),
    ),
    "tables-report": (
        Task("opt_birthweight", "Birthweight"),
        Task("opt_birthweight", "BMI"),
        Task("credit_data", "Amount"),
        Task("credit_data", "Income"),
        Task("credit_data", "Seniority"),
        Task("leaf_flavia", "area"),
    ),
}
"""Tasks to choose on and tasks to report. No table is in both."""
