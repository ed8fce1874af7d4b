"""A cache that is read from and paid as fast as it goes, until it is killed. It prints what was served."""

import asyncio
import sys
from pathlib import Path

from tests.roles.caching.counter import LANE, TERMS, Shop, paying


async def serve(folder: Path) -> None:
    """Pays half of every interval."""
    shop = Shop(folder)
    shop.chain.keep(LANE, 1 << 60)
    ticket, served, signed = await shop.admit(paying(0), size=1 << 60), 0, 0
    while True:
        step = ticket.step
        await ticket.take(step)
        served += step
        print(served, flush=True)
        if 2 * (TERMS.cost(served) - signed) >= TERMS.cost(TERMS.window(signed)):
            signed = TERMS.cost(served)
            await shop.vouch(paying(signed))


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
