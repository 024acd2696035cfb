"""The web door: every area of pages, as one application."""

from functools import cache

from mailhost.app.certificates import challenges
from mailhost.app.services import Services
from mailhost.app.settings import desk_of
from mailhost.doctor.guard import public_only
from mailhost.doctor.names import Resolver
from mailhost.doctor.providers import Provider, known_providers
from mailhost.doctor.world import World, connect
from mailhost.domains import list_domains
from mailhost.login import Clock, DoorKeeper
from mailhost.login.tokens import PEOPLE
from mailhost.network.tls import client_context
from mailhost.oauth import House as OAuthHouse
from mailhost.storage.database import Tx
from mailhost.storage.errors import StorageError
from mailhost.web.app_passwords import AppPasswordPages
from mailhost.web.autoconfig import AutoconfigRoutes
from mailhost.web.bridge import HttpServer
from mailhost.web.consent import ConsentPages
from mailhost.web.diagnoses import Diagnoses
from mailhost.web.diary import DiaryPages
from mailhost.web.doctor import DoctorPages
from mailhost.web.handover import Handover
from mailhost.web.oauth import OAuthRoutes
from mailhost.web.pages import Pages
from mailhost.web.proof import ProofRoutes
from mailhost.web.security import SecurityPages
from mailhost.web.sessions import SessionPages
from mailhost.web.settings import SettingsPages
from mailhost.web.setup import Facts
from mailhost.web.setup_page import SetupPage
from mailhost.web.sign_in import SignInPages
from mailhost.web.site import Site
from mailhost.web.storage import StoragePages
from mailhost.web.two_step import TwoStepPages
from mailhost.web.unusual import UnusualPages
from mailhost.web.visits import Visits


def web_server(services: Services, keeper: DoorKeeper, facts: Facts, clock: Clock) -> HttpServer:
    """What both the HTTP and the HTTPS door serve; a new area is one more class in `areas`."""
    database, key = services.database, services.key

    async def is_well() -> bool:
        try:
            return await database.read(_answers)
        except StorageError:
            return False

    pages = Pages(facts)
    visits = Visits(database, key, pages, clock)

    def oauth() -> OAuthHouse:  # when it is asked: ports are known once they are open
        return OAuthHouse(key, PEOPLE, facts.base_url)

    desk = desk_of(services, facts)
    messages_a_day = services.config.limits.messages_a_day
    handover = Handover(pages, database, key, desk, clock)
    areas = (
        AutoconfigRoutes(desk, clock),
        SetupPage(desk, pages),
        OAuthRoutes(database, oauth, key, clock, registration=services.config.oauth_registration),
        SignInPages(visits, pages, database, keeper, clock),
        SecurityPages(visits, pages, database, clock, services.atlas),
        TwoStepPages(visits, pages, database, key, keeper, clock),
        SettingsPages(visits, pages, database, keeper, clock),
        ConsentPages(visits, pages, database, oauth, services.atlas, clock),
        DoctorPages(visits, pages, database, oauth, services.atlas, _diagnoses(services, clock), clock),
        ProofRoutes(challenges(services.data)),
        handover,
        AppPasswordPages(visits, pages, database, key, clock, handover, services.atlas),
        SessionPages(visits, pages, database, clock, keeper.rules, messages_a_day, services.atlas),
        DiaryPages(visits, pages, database, clock, services.atlas),
        UnusualPages(visits, pages, database, clock, services.atlas),
        StoragePages(visits, pages, database, services.blobs, clock),
    )
    return HttpServer(Site(pages, is_well).application([route for area in areas for route in area.routes()]))


def _diagnoses(services: Services, clock: Clock) -> Diagnoses:
    config = services.config
    trusting = cache(client_context)

    def world() -> World:
        through = connect if config.doctor_anywhere else public_only()
        return World(Resolver(config.name_servers()), through, trusting=trusting())

    @cache
    def providers() -> dict[str, Provider]:
        return known_providers(services.data)

    return Diagnoses(services.database, world, providers, clock)


def _answers(tx: Tx) -> bool:
    return bool(list_domains(tx, 1))
