"""Options of a command that are the fields of a dataclass."""

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from service.option_groups import spread


@dataclass(frozen=True)
class Place:
    street: Annotated[str, typer.Option(help="The street.")]
    number: Annotated[int, typer.Option(min=1, help="The number.")] = 1


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()

    @app.command()
    @spread
    def send(name: str, *, urgent: bool = False, place: Place, copies: int = 1) -> None:
        """Send a letter."""
        print(name, urgent, place, copies)

    return app


def test_a_command_takes_the_fields_of_a_dataclass_as_options(app):
    said = CliRunner().invoke(app, ["Ann", "--street", "Mill Lane", "--number", "7", "--copies", "2"])
    assert said.output == "Ann False Place(street='Mill Lane', number=7) 2\n"


def test_the_fields_keep_their_defaults_and_limits(app):
    assert "number=1" in CliRunner().invoke(app, ["Ann", "--street", "Mill Lane"]).output
    assert CliRunner().invoke(app, ["Ann", "--street", "Mill Lane", "--number", "0"]).exit_code == 2
    assert CliRunner().invoke(app, ["Ann"]).exit_code == 2


def test_the_help_lists_the_fields_where_the_dataclass_stands(app):
    said = CliRunner().invoke(app, ["--help"]).output
    assert "Send a letter." in said
    places = [said.index(option) for option in ("--urgent", "--street", "--number", "--copies")]
    assert places == sorted(places)
