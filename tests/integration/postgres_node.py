"""A process that appends to a log until it is killed: `postgres_node.py URL NAME`.

Prints the name and position of each acknowledged command.
"""

import asyncio
import sys
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.integration.postgres_appends import command, open_at

CLIENTS = 32


async def run(url: str, name: str) -> None:
    log = await open_at(url)
    numbers = count()

    async def client() -> None:
        while True:
            command_name = f"{name}-{next(numbers)}"
            position = await log.append(command(command_name))
            sys.stdout.write(f"{command_name} {position}\n")
            sys.stdout.flush()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], sys.argv[2]))
