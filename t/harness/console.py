"""The console blocks of a page, run on a machine as they are printed."""

import re
import time

import pytest


def console(text):
    """The console blocks of a page, in their order."""
    return re.findall(r"```console\n(.*?)\n```", text, re.S)


def commands(block):
    """The commands of a console block, with the lines that each prints."""
    found, lines = [], block.split("\n")
    while lines:
        line = lines.pop(0)
        if not line.startswith("$ "):
            if line:
                found[-1][1].append(line)
            continue
        command = line[2:]
        while command.endswith("\\") or command.count("'") % 2:
            command += "\n" + lines.pop(0)
        end = re.search(r"<< *'?(\w+)'?$", command)
        while end and not command.endswith("\n" + end.group(1)):
            command += "\n" + lines.pop(0)
        found.append((command, []))
    return found


def plain(line):
    return re.sub(r'"query_id":\d+', '"query_id":N', line.rstrip())


def shows(printed, expected):
    """Whether the expected lines are there, in their order."""
    lines = iter([plain(line) for line in printed.splitlines()])
    return all(any(plain(line) == one for one in lines) for line in expected)


def follow(machine, command, expected):
    """Runs a command as it is printed. A question is asked again until the
    model that was started in the background has connected."""
    if machine.as_root:
        command = re.sub(r"\bsudo ", "", command)
    deadline = time.monotonic() + 60
    while True:
        status, printed = machine.shell(command, 900)
        if status == 0 and shows(printed, expected):
            if command.startswith("kill "):
                # A model that still answers would fill the cache.
                machine.shell("wait", 60)
            return
        if not command.startswith("curl") or time.monotonic() > deadline:
            pytest.fail(f"{command}\nexit status {status}, expected "
                        f"{expected}:\n{machine.said[-6000:]}")
        time.sleep(0.2)
