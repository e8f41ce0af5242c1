"""The list of deliverables in Norwegian: the end of docs/besvarelse.md."""

from couch_explorers.deliverables.facts import Reason
from couch_explorers.deliverables.words import Words

WORDS = Words(
    language="nb",
    page="docs/besvarelse.md",
    tasks={
        1: "Oppgave 1: Lambda og API",
        2: "Oppgave 2: Kø med Terraform",
        3: "Oppgave 3: Javaklient og image",
        4: "Oppgave 4: Alarm på alder",
        5: "Oppgave 5: Serverless eller containere",
    },
    # The strategy is a part of the answer to task 3 here, without a heading of its own.
    tags="Oppgave 3: Javaklient og image",
    deliverables="Leveranser",
    labels={
        "endpoint": "A. HTTP-endepunkt for POST",
        "postman": "A. Det samme i Postman",
        "lambda_run": "B. Vellykket kjøring av `deploy_lambda.yml` på main",
        "terraform_run": "B. Vellykket kjøring av `terraform_deploy.yml` på main (plan og apply)",
        "plan_run": "B. Vellykket kjøring av `terraform_deploy.yml` på en annen branch (bare plan)",
        "queue": "B. URL til SQS-køen",
        "tags": "B. Taggestrategi",
        "image": "B. Container image",
        "alarm": "A. Alarmen",
        "alarm_code": "A. Koden",
        "essay": "Drøftingen",
    },
    empty="*tom*.",
    reasons={
        Reason.API_NOT_ON_AWS: "API-et er ikke deployet: push til main (`deploy_lambda.yml`), eller kjør `sam deploy` i `sam_lambda/`.",
        Reason.API_NOT_LOCAL: "API-et er ikke deployet: kjør `couch up`.",
        Reason.QUEUE_NOT_ON_AWS: "Køen er ikke deployet: push til main (`terraform_deploy.yml`), eller kjør `terraform apply` i `infra/`.",
        Reason.QUEUE_NOT_LOCAL: "Køen er ikke deployet: kjør `couch up` (det krever Terraform; se `couch doctor`).",
        Reason.ALARM_MISSING: "Køen er deployet, men ingen alarm følger alderen på jobbene: kjør `terraform apply` i `infra/`.",
        Reason.ALARM_UNREADABLE: "Alarmen kunne ikke leses: {why}.",
        Reason.RUNS_NOT_ASKED_FOR: "Ingenting har kjørt ennå: push til GitHub, med innstillingene som står i CONTRIBUTING.md.",
        Reason.RUNS_NOT_LOCAL: "En lokal sky deployes av `couch up`, ikke av en workflow; `--target aws` spør GitHub.",
        Reason.NO_RUN_ON_MAIN: "`{workflow}` har ikke lyktes på main i {repository} ennå: push til main, og se siden Actions.",
        Reason.NO_RUN_ELSEWHERE: "Blant de nyeste kjøringene av `{workflow}` i {repository} er ingen vellykket på en annen branch: push til en.",
        Reason.NO_REPOSITORY: "Repositoryet på GitHub er ukjent: oppgi `--repository OWNER/NAME`.",
        Reason.NOT_ON_GITHUB: "Gits remote origin ligger hos {host}, ikke hos GitHub: oppgi `--repository OWNER/NAME`.",
        Reason.NOT_FOUND: "GitHub viser ingen `{workflow}` i {repository}: sjekk navnet, push til main, og sett GITHUB_TOKEN hvis repositoryet er privat.",
        Reason.TOKEN_REFUSED: "GitHub godtar ikke tokenet i GITHUB_TOKEN eller GH_TOKEN: lag et nytt, eller fjern det for et offentlig repository.",
        Reason.NO_RIGHT: "Tokenet får ikke lese kjøringene i {repository}: gi det lesetilgang til Actions.",
        Reason.RATE_LIMIT: "GitHub svarer ikke mer før {until}: vent, eller sett GITHUB_TOKEN, som får spørre oftere.",
        Reason.GITHUB_FAILED: "GitHub feilet (HTTP {status}): prøv igjen senere.",
        Reason.GITHUB_UNREACHABLE: "{host} kunne ikke nås ({why}): prøv igjen når det går.",
        Reason.GITHUB_UNREADABLE: "{host} svarte med noe som ikke er en liste over kjøringer: sjekk GITHUB_API_URL.",
        Reason.NO_IMAGE: "Navnet på Docker Hub er ukjent: eksporter DOCKERHUB_USERNAME, eller oppgi `--image USER/REPOSITORY`.",
        Reason.BAD_IMAGE: "`{image}` er ikke noe navn på Docker Hub: oppgi `--image user/repository`, med små bokstaver og uten tagg.",
    },
    before_any_deploy=(
        "Rader som bare en deployet kopi av dette repositoryet kan fylle, er tomme inntil da. "
        "`couch deliverables --target aws --write` fyller dem ut."
    ),
    on_local=(
        "Som deployet på den lokale skyen for kandidat {candidate}, lest {day}. Adressene virker bare på denne maskinen; "
        "`couch deliverables --target aws` viser dem på AWS."
    ),
    on_aws=(
        "Som deployet på AWS ({region}) for kandidat {candidate}, lest {day} med `couch deliverables --target aws --write`."
    ),
    through=" AWS ble nådd gjennom {endpoint}.",
    run="[kjøring {number}]({url}) på `{branch}`, {day}",
    postman="[samling]({path}), gode og dårlige forespørsler med hva svaret må være. Variabelen `endpoint` er adressen over.",
    alarm="`{name}` utløses når {statistic} av `{metric}` ({namespace}) over {period_s} s er {operator} {threshold} s. {heard}",
    operators={
        "GreaterThanThreshold": "over",
        "GreaterThanOrEqualToThreshold": "minst",
        "LessThanThreshold": "under",
        "LessThanOrEqualToThreshold": "høyst",
    },
    tells="Bekreftede e-postabonnementer på topicen `{topic}`: {confirmed}; ventende: {pending}.",
    pending=" Den som venter, får ingenting før lenken i den første e-posten fra AWS er klikket.",
    tells_nobody="Den varsler ingen: kjør `terraform apply` i `infra/`.",
    alarm_code="[infra/alarms.tf]({alarms}); adressen er variabelen `alarm_email` i [infra/variables.tf]({variables})",
)
