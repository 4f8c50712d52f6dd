"""A client of the Python SDK against our server: `client.py URL` or `client.py COMMAND ARGUMENT…`.

Prints one line of JSON with what it saw; the test judges it.
"""

import json
import sys

import anyio
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import ResourceTemplateReference


async def main(target: str, *args: str) -> None:
    way = target if target.startswith("http") else stdio_client(StdioServerParameters(command=target, args=list(args)))
    async with Client(way, mode="auto") as client:
        tools = await client.list_tools()
        valid = await client.call_tool("validate_mermaid", {"code": "flowchart LR\n  a --> b"})
        invalid = await client.call_tool("validate_mermaid", {"code": "flowchart LR\n  a[run()] --> b"})
        wrong = await client.call_tool("validate_mermaid", {"code": 7})
        rule = await client.read_resource("ba-copilot://rules/FLOW003")
        prompt = await client.get_prompt("explain_findings", {"code": "pie"})
        found = await client.complete(
            ResourceTemplateReference(type="ref/resource", uri="ba-copilot://rules/{code}"),
            {"name": "code", "value": "FLOW003"},
        )
        seen = {
            "tools": [tool.name for tool in tools.tools],
            "templates": [row.uri_template for row in (await client.list_resource_templates()).resource_templates],
            "prompts": [row.name for row in (await client.list_prompts()).prompts],
            "resources": len((await client.list_resources()).resources),
            "valid": valid.structured_content["valid"],
            "invalid": invalid.structured_content["valid"],
            "wrong_is_error": wrong.is_error,
            "text": invalid.content[0].text,
            "rule": len(rule.contents[0].text),
            "prompt": len(prompt.messages),
            "completion": found.completion.values,
        }
        print(json.dumps(seen))


anyio.run(main, *sys.argv[1:])
