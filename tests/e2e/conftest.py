"""One running system for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from local import aws, identity, state
from local.state import State
from tests.e2e.command_line import local
from tests.e2e.stand_in import StandIn
from tests.e2e.users import User

NewUser = Callable[..., User]
Reconcile = Callable[[], None]
Advance = Callable[[int], None]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Processes that share the tests among them would each start a system of their own. Before xdist looks
    # for groups, or it finds none.
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("e2e"))
    # Logs are looked through when everybody has had a say.
    items.sort(key=lambda item: item.path.name == "test_what_logs_say.py")


@pytest.fixture(scope="session")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("engine")
    local("up", "--detach", state_dir=directory)
    yield directory
    local("down", state_dir=directory)


@pytest.fixture(scope="session")
def engine_state(state_dir: Path) -> State:
    return state.read(state_dir)


@pytest.fixture(scope="session")
def _stand_in(engine_state: State) -> Iterator[StandIn]:
    handles = StandIn(engine_state)
    yield handles
    handles.close()


@pytest.fixture
def stand_in(_stand_in: StandIn) -> Iterator[StandIn]:
    """The stand-in, well-behaved again afterwards."""
    yield _stand_in
    _stand_in.end_orders()


@pytest.fixture(scope="session")
def everybody() -> list[User]:
    """All users that tests have made so far."""
    return []


@pytest.fixture(scope="session")
def new_user(state_dir: Path, engine_state: State, everybody: list[User]) -> Iterator[NewUser]:
    """Make users, on the free plan unless said otherwise: `new_user("pro", credits=500)`."""
    with ExitStack() as opened:

        def make(plan: str | None = None, *, credits: int = 0, admin: bool = False) -> User:  # noqa: A002
            name = f"user-{len(everybody) + 1}@example.com"
            if plan is not None:
                local("account", name, "--plan", plan, "--credits", str(credits), state_dir=state_dir)
            groups = [identity.ADMIN_GROUP] if admin else []
            token = identity.sign_token(state_dir, engine_state.issuer_url, name, groups=groups)
            everybody.append(opened.enter_context(User(engine_state, name, token)))
            return everybody[-1]

        yield make


@pytest.fixture(scope="module")
def user(new_user: NewUser) -> User:
    """One for each file of tests, on the developer plan: no limit that a test would meet."""
    return new_user("developer", credits=1000)


@pytest.fixture(scope="session")
def reconcile(engine_state: State) -> Reconcile:
    """Do what the schedule does every minute."""

    def invoke() -> None:
        answer = aws.client("lambda", engine_state.aws_endpoint_url).invoke(
            FunctionName=engine_state.functions["reconcile_jobs"]
        )
        assert "FunctionError" not in answer, answer["Payload"].read()

    return invoke


@pytest.fixture(scope="module")
def unscheduled(engine_state: State) -> Iterator[None]:
    """Reconcile when a test says so, and not in between."""
    rules = aws.client("events", engine_state.aws_endpoint_url)
    (name,) = (rule["Name"] for rule in rules.list_rules()["Rules"] if "ScheduleExpression" in rule)
    rules.disable_rule(Name=name)
    yield
    rules.enable_rule(Name=name)


@pytest.fixture(scope="session")
def advance(state_dir: Path) -> Advance:
    """Move the clock of the system and of the stand-in on, by seconds."""

    def move(seconds: int) -> None:
        local("advance", str(seconds), state_dir=state_dir)

    return move
