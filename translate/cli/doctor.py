"""`translate doctor`."""

from translate.cli.common import Device, Json, print_json


def doctor(device: Device = "auto", json: Json = False) -> None:
    """Report what this machine has, what works on it and how fast, what `auto` will choose, and what to install."""
    import typer
    import yaml

    from translate.doctor import examine_machine

    findings = {}
    for title, finding in examine_machine(device):
        findings[title] = finding
        if not json:  # each as soon as it is known
            typer.echo(yaml.safe_dump({title: finding}, sort_keys=False, allow_unicode=True, width=1000), nl=False)
    if json:
        print_json(findings)
