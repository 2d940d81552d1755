"""The store's ports, over the dictionaries that use cases are tested on or over DynamoDB's adapter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from revela.adapters.dynamodb.accounts import DynamoAccounts
from revela.adapters.dynamodb.changes import DynamoChanges
from revela.adapters.dynamodb.generations import DynamoGenerations
from revela.domain.change import Change, JobWrite
from revela.domain.generation import Generation
from revela.ports import Accounts, Changes, Generations, Ref
from tests.contract.aws import aws, deploy_tables
from tests.fakes import FakeAccounts, FakeChanges, FakeGenerations, Store
from tests.fakes.clock import START

KINDS = ("memory", "dynamodb")


@dataclass
class StorePorts:
    generations: Generations
    accounts: Accounts
    changes: Changes

    def write(self, *generations: Generation) -> list[Generation]:
        """Store new rows and return them as stored."""
        for generation in generations:
            self.changes.commit(Change(now=START, job=JobWrite(None, generation)))
        return [self.read(generation) for generation in generations]

    def read(self, generation: Generation) -> Generation:
        found = self.generations.get(ref(generation))
        assert found is not None
        return found


@contextmanager
def opened(kind: str) -> Iterator[StorePorts]:
    if kind == "memory":
        store = Store()
        yield StorePorts(FakeGenerations(store), FakeAccounts(store), FakeChanges(store))
        return
    with aws():
        tables = deploy_tables()
        yield StorePorts(DynamoGenerations(tables), DynamoAccounts(tables), DynamoChanges(tables))


def ref(generation: Generation) -> Ref:
    return Ref(generation.user_id, generation.id)
