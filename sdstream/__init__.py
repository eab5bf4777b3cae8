"""A headless daemon that restyles live video: source → engine → sinks, each in a process of its own.

The rooms in the order of the flow: `cli` (verbs), `config` (YAML to settings), `supervisor` (wires, starts, watches),
`stages` (the loops), `ipc` (mailboxes), `controls`, `sources`, `engine`, `stabilise` on `relax`, `air` (the fallback
ladder), `audio`, `sinks`; beside the flow `control` (HTTP), `system` (the machine), `clip` (the demo's clip) and
`bench`. See docs/architecture.md.
"""

__version__ = "0.1.0"
