"""What is deployed is what is configured."""

import re
from pathlib import Path

from service.settings import Settings

ROOT = Path(__file__).parents[1]


def test_every_setting_named_by_compose_or_image_exists():
    text = "".join((ROOT / name).read_text() for name in ("Dockerfile", "docker-compose.yml", "docker/compose.gpu.yml"))
    named = {name.lower() for name in re.findall(r"^\s*(?:ENV )?HANDFUL_(\w+)[:=]", text, re.MULTILINE)}
    assert "redis_url" in named
    assert named <= set(Settings.model_fields)


def test_every_setting_says_what_it_is():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
