"""`translate doctor`."""

from translate.cli.common import Device, Json, print_json


def doctor(device: Device = "auto", json: Json = False) -> None:
    """Report what this machine has, what works on it and how fast, and what `auto` will choose."""
    import typer
    import yaml

    from translate.doctor import examine_machine

    findings = examine_machine(device)
    if json:
        print_json(findings)
        return
    typer.echo(yaml.safe_dump(findings, sort_keys=False), nl=False)
