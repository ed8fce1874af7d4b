"""`agent market durability`: the model of a request that is on the market."""

from dataclasses import dataclass

from agents.core.durability.hazards import Hazards
from agents.core.durability.posted import Posted, posted
from agents.core.errors import Refused
from agents.core.market.view import RequestView
from agents.core.proofs.profiles import Profile, profile_named
from agents.runtime.follower import Follower, Moment
from agents.runtime.market import find_request
from agents.runtime.network import network
from agents.runtime.settings import Hardship, Place


@dataclass(frozen=True)
class Watched:
    """A request as it is now, and what is to be expected of it."""

    request: RequestView
    now: int
    posted: Posted

    @property
    def state(self) -> str:
        """Of the request."""
        return self.request.state(self.now).name.lower()


async def watched(place: Place, start: str, assumed: Hardship) -> Watched:
    """The request whose id begins with ``start``. Raises NotFound, Refused, CodeParameters, Misuse."""
    async with network(place) as found:
        moment = await Follower(found).now()
    return watched_at(moment, start, profile_named(found.deployment.profile), assumed)


def watched_at(moment: Moment, start: str, profile: Profile, assumed: Hardship) -> Watched:
    """The same of a moment. Raises NotFound, Refused, CodeParameters, Misuse."""
    request, now = find_request(moment, start), moment.timestamp
    state = request.state(now)
    if state.terminal:
        raise Refused(
            f"Request {request.id.hex()[:12]} is {state.name.lower()}",
            "nobody keeps its slots any more, so nothing is to be expected of them",
            "See what became of it with `agent client status REQUEST`.",
        )
    config = moment.view.config
    interval = float(request.ask.proof_probability * config.period_seconds)
    hazards = Hazards(float(assumed.mttf), float(assumed.mttr), interval, assumed.group_size, assumed.together)
    found = posted(request.ask, request.vacant, request.end(now) - now, config, profile, hazards)
    return Watched(request, now, found)
