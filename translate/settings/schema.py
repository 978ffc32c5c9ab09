"""The JSON Schema of recipes, by which editors complete and check them."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from translate.experiment import Experiment


def build_schema() -> dict[str, Any]:
    """Return the schema, in the draft 2020-12."""
    schema = Experiment.model_json_schema(schema_generator=_Generator)
    return {"$schema": _Generator.schema_dialect, **schema, "title": "A recipe of translate"}


class _Generator(GenerateJsonSchema):
    """Tells the kinds of a section apart as the program does: by a name or kind, which the default may leave out."""

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        discriminator: Any = schema["discriminator"]
        members = []
        for tag, choice in schema["choices"].items():
            member = self.generate_inner(choice)
            if tag != discriminator.default:
                member = {**member, "required": [discriminator.key]}
            members.append(member)
        return {"oneOf": members}
