"""GET /docs: Swagger UI. Its scripts are served from here, so that the page works without internet access."""

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse

from service.errors import NotFound

STATIC = Path(__file__).parent / "static"
"""Files of the npm package swagger-ui-dist 5.35.0, unchanged, with their licences."""
SERVED = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """The interactive documentation."""
    prefix = request.scope.get("root_path", "")
    script, style, icon = (f"{prefix}/docs/{name}" for name in SERVED)
    return get_swagger_ui_html(
        openapi_url=f"{prefix}/openapi.json",
        title="Handful",
        swagger_js_url=script,
        swagger_css_url=style,
        swagger_favicon_url=icon,
        swagger_ui_parameters={"validatorUrl": None},  # by default, the page sends its address to swagger.io
    )


@router.get("/docs/{name}")
async def docs_file(name: str) -> FileResponse:
    """A file of the documentation page."""
    if name not in SERVED:
        raise NotFound("GET /docs is the documentation.")
    return FileResponse(STATIC / name)
