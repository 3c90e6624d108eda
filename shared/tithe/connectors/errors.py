"""What may go wrong between Tithe and a tool, told apart by who can do something about it."""

from __future__ import annotations

from tithe.errors import BadInput, TitheError, Unavailable


class ToolUnreachable(Unavailable):
    """The tool does not answer, or says that it is busy: it is tried again by itself."""

    code = "tool_unreachable"


class ToolError(TitheError):
    """The tool says no, and will until somebody does something."""

    status = 409
    code = "tool_error"


class CredentialRefused(ToolError):
    """The tool does not take the credential."""

    code = "credential_refused"


class RemoteGone(ToolError):
    """The project is not in the tool any more."""

    code = "remote_gone"


class SchemaUnfit(ToolError):
    """The tool's project and Tithe's do not fit together."""

    code = "schema_unfit"


class ToolMisbehaves(ToolError):
    """The tool answered something that makes no sense."""

    code = "tool_misbehaves"


class AddressForbidden(BadInput):
    """The address is not one that Tithe may call."""

    code = "address_forbidden"


class HookRefused(TitheError):
    """The hook is not from this connection's tool."""

    status = 403
    code = "hook_refused"
