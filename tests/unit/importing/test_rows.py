"""From a file to objects: dialects, mappings, what is missing, what is spread out."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from schemas.errors import ConfigError
from stream.cli.import_file import command
from stream.cli.importing.kinds import KINDS
from stream.cli.importing.mapping import Mapping, mapping_of, shipped
from stream.cli.importing.options import Options, doubtful, lacks_currency, plan_of
from stream.cli.importing.readers import opened, rows_of
from stream.cli.importing.run import made_of

NONE = Options("", (), "", "dev", dry_run=True, resume=False, bad=None, form=None, encoding="", delimiter="", decimal=None,
               dates=(), timezone="", patience_s=1, as_json=False)  # fmt: skip


def made(path: Path, kind: str, mapping: str = "", *constants: str, **more):
    options = msgspec.structs.replace(NONE, mapping=mapping, constants=constants, **more)
    return [(row.line, objects, reason) for row, objects, reason in made_of(plan_of(path, kind, options))]


def only(found):
    ((_, (one,), reason),) = found
    assert reason == ""
    return one


def file(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_of_any_dialect_says_the_same(tmp_path, encoding, delimiter):
    lines = [["id", "name"], ["1", '"Größe; Maß, ""groß"""'], ["2", '"zwei\nZeilen"']]
    path = file(tmp_path, "a.csv", "\r\n".join(delimiter.join(cells) for cells in lines) + "\r\n", encoding)
    rows = [(row.line, row.fields, row.fault) for row in rows_of(opened(path, "", "", ""))]
    assert rows == [
        (2, {"id": "1", "name": 'Größe; Maß, "groß"'}, ""),
        (3, {"id": "2", "name": "zwei\nZeilen"}, ""),
    ]


def test_a_row_that_is_not_in_the_files_encoding_is_a_fault(tmp_path):
    from stream.cli.importing.bad_rows import BadRows, place_of
    from stream.cli.importing.run import rehearse

    path = tmp_path / "a.csv"
    rows = "".join(f"{i},Größe\ufffd\n" for i in range(1, 2000))  # who looks at the beginning sees nothing of it
    path.write_bytes(f"\ufeffid,name\n{rows}".encode() + "2000,Größe\n".encode("cp1252"))
    plan = plan_of(path, "accounts", NONE)
    bad = BadRows(place_of(plan.source), plan.source, append=False)
    tally = rehearse(plan, bad, lambda _: None)
    bad.close()
    assert (tally.taken, dict(tally.reasons)) == (1999, {"not all of it is utf-8-sig; see --encoding": 1})
    assert "2000,Größe,2001,".encode("cp1252") in bad.place.read_bytes()


def test_a_ragged_row_is_a_fault_with_the_line_where_it_begins(tmp_path):
    path = file(tmp_path, "a.csv", 'id,name\n1,"x\ny"\n\n2\n3,c,d\n4,e\n')
    rows = [(row.line, row.fault) for row in rows_of(opened(path, "", "", ""))]
    assert rows == [
        (2, ""),
        (5, "the row has 1 cells, the header 2"),
        (6, "the row has 3 cells, the header 2"),
        (7, ""),
    ]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [("a.csv", "", "no column names"), ("a.csv", "id,id\n", "twice"), ("a.dat", "id\n", "--format"),
     ("a.csv", "name\nx\n", "no column `id`")],
)  # fmt: skip
def test_a_file_that_cannot_be_read_says_why(tmp_path, name, text, says):
    with pytest.raises(ConfigError, match=says):
        made(file(tmp_path, name, text), "accounts")


def test_columns_with_our_names_need_no_mapping(tmp_path):
    path = file(tmp_path, "a.csv", "id,name,domains,updated_at,region\n7,Acme,acme.com;acme.io,2026-01-31,DACH\n")
    assert only(made(path, "accounts")) == {
        "id": "7", "name": "Acme", "domains": ["acme.com", "acme.io"], "updated_at": "2026-01-31", "region": "DACH",
    }  # fmt: skip


def test_our_names_are_ours_in_any_case_and_what_is_no_name_of_ours_stays(tmp_path):
    path = file(tmp_path, "a.csv", "ID,Account_Id,Stage, AMOUNT ,Currency,Region\n7,a,Won,12.50,EUR,DACH\n")
    wanted = {"id": "7", "account_id": "a", "stage": "Won", "amount": "12.50", "currency": "EUR", "Region": "DACH"}
    assert only(made(path, "opportunities")).items() >= wanted.items()
    # A name that is there as it should be is that one; the other is the sender's own.
    both = only(made(file(tmp_path, "b.ndjson", '{"id": "7", "Amount": 1, "amount": 2}\n'), "opportunities"))
    assert (both["amount"], both["Amount"]) == (2, 1)


def test_a_row_without_a_version_is_one_as_of_the_files_time(tmp_path):
    path = file(tmp_path, "a.csv", "id\n7\n")
    os.utime(path, (1_767_261_600, 1_767_261_600))
    assert only(made(path, "accounts"))["updated_at"] == "2026-01-01T10:00:00Z"


def test_what_the_collector_would_refuse_is_found_before_it_is_sent(tmp_path):
    path = file(tmp_path, "a.csv", "id,email\nc1,ann@acme.com\nc2,nobody\n,bob@acme.com\n")
    assert [(line, reason) for line, _, reason in made(path, "contacts")] == [
        (2, ""),
        (3, "email: bad value"),
        (4, "id: missing field"),
    ]


def test_a_row_that_is_taken_but_for_one_field_is_sent_and_says_so(tmp_path):
    path = file(tmp_path, "a.csv", "id,domain\n1,Acme\n2,https://b.co/en\n")
    assert made(path, "accounts", "", "updated_at=2026-01-31") == [
        (2, [{"id": "1", "domain": "Acme", "updated_at": "2026-01-31"}], "domain: bad value"),
        (3, [{"id": "2", "domain": "https://b.co/en", "updated_at": "2026-01-31"}], ""),
    ]
    told = CliRunner().invoke(command, [str(path), "--kind", "accounts", "--dry-run", "--json"])
    summary = json.loads(told.stdout)
    assert (told.exit_code, summary["sent"], summary["bad"], summary["notes"]) == (0, 2, 0, {"domain: bad value": 1})


def test_ndjson_keeps_its_types_and_a_broken_line_spoils_no_other(tmp_path):
    path = file(tmp_path, "a.ndjson", '{"id": 1, "domains": ["a.com"]}\n\n[1]\n{"id": \n{"id": "2", "x": {"y": 1}}\n')
    found = made(path, "accounts")
    assert [(line, [o["id"] for o in objects], bool(reason)) for line, objects, reason in found] == [
        (1, [1], False), (3, [], True), (4, [], True), (5, ["2"], False),
    ]  # fmt: skip
    assert found[3][1][0]["x"] == {"y": 1}
    assert "x.y" not in found[3][1][0]


def test_a_mapping_names_columns_alternatives_values_and_constants(tmp_path):
    mapping = file(tmp_path, "m.toml", """
[format]
decimal = ","
dates = ["%d.%m.%Y"]
[costs]
keep = ["Netz"]
[costs.fields]
date = "Tag"
utm_campaign = ["Kampagne", "campaign name"]
utm_medium = "Art"
amount = "Kosten"
[costs.constants]
currency = "EUR"
utm_source = "google"
[costs.values.utm_medium]
"Klick" = "cpc"
""")  # fmt: skip
    path = file(
        tmp_path, "spend.csv", "TAG;Kampagne;Campaign  Name;Art;Kosten;Netz\n31.01.2026;;brand;KLICK;1.234,50;Suche\n"
    )
    found = only(made(path, "costs", str(mapping), "updated_at=2026-02-01"))
    assert found == {
        "date": "2026-01-31", "utm_campaign": "brand", "utm_medium": "cpc", "amount": "1234.50", "currency": "EUR",
        "utm_source": "google", "updated_at": "2026-02-01", "Netz": "Suche",
    }  # fmt: skip


def test_the_command_line_is_stronger_than_the_mapping(tmp_path):
    path = file(tmp_path, "a.csv", 'date,amount,currency\n31/01/2026,"1,5",\n')
    found = only(made(path, "costs", "", "currency=USD", decimal=",", dates=("%d/%m/%Y",)))
    assert (found["date"], found["amount"], found["currency"]) == ("2026-01-31", "1.5", "USD")


def test_a_constant_that_is_no_field_is_doubtful(tmp_path):
    mapping = file(tmp_path, "m.toml", '[accounts]\nkeep = ["team"]\n[accounts.fields]\nid = "Nr"\n')
    own, mapped = file(tmp_path, "a.csv", "id,region\n7,\n"), file(tmp_path, "b.csv", "Nr\n7\n")

    def names(path: Path, kind: str, mapping: str, *constants: str) -> list[str]:
        return doubtful(plan_of(path, kind, msgspec.structs.replace(NONE, mapping=mapping, constants=constants)))

    assert names(own, "accounts", "", "domian=acme.com", "domain=acme.com", "region=DACH", "id=7") == ["domian"]
    assert names(mapped, "accounts", str(mapping), "region=DACH", "team=x", "owner=kim") == ["region"]
    assert names(own, "events", "", "properties.plan=pro") == []
    told = CliRunner().invoke(command, [str(own), "--kind", "accounts", "--set", "domian=acme.com", "--dry-run"])
    assert (told.exit_code, told.stderr.splitlines()[0].split(";")[0]) == (
        0,
        "--set domian: accounts have no such field",
    )


@pytest.mark.parametrize(
    ("header", "mapping", "constants", "lacks"),
    [
        ("Id,StageName,Amount", "salesforce", (), True),
        ("Id,StageName,Amount", "salesforce", ("currency=EUR",), False),
        ("Id,StageName,Amount,CurrencyIsoCode", "salesforce", (), False),
        ("Id,StageName", "salesforce", (), False),
        ("id,Amount", "", (), True),
        ("id,Amount,Currency", "", (), False),
    ],
)
def test_deals_without_any_currency_are_sent_and_the_command_says_so(tmp_path, header, mapping, constants, lacks):
    path = file(tmp_path, "a.csv", f"{header}\n")
    assert (
        lacks_currency(
            plan_of(path, "opportunities", msgspec.structs.replace(NONE, mapping=mapping, constants=constants))
        )
        == lacks
    )
    options = ["--map", mapping, *(word for one in constants for word in ("--set", one))]
    told = CliRunner().invoke(command, [str(path), "--kind", "opportunities", "--dry-run", *options])
    assert (told.exit_code, "has amounts and no currency" in told.stderr) == (0, lacks)


def test_the_fields_of_each_kind_are_those_of_the_page():
    page = (Path(__file__).parents[3] / "docs" / "crm.md").read_text("utf-8")
    for kind in KINDS.values():
        if kind.others:
            (cells,) = re.findall(rf"^\| `{kind.path}` \| (.*) \|$", page, re.MULTILINE)
            listed = re.sub(r"\([^)]*\)|\*\*", "", cells).replace(" or ", ", ").split(",")
            assert {name.strip() for name in listed} == {*kind.needs, *kind.others}


def test_an_event_gets_an_id_that_a_second_import_derives_again(tmp_path):
    text = '{"type": "track", "event": "Demo", "userId": "u1", "timestamp": "2026-01-31T09:00:00Z"}\n'
    first = only(made(file(tmp_path, "a.ndjson", text), "events"))
    again = only(made(file(tmp_path, "b.ndjson", " " + text), "events"))
    other = only(made(file(tmp_path, "c.ndjson", text.replace("u1", "u2")), "events"))
    assert first["messageId"] == again["messageId"] != other["messageId"]
    given = only(made(file(tmp_path, "d.ndjson", text.replace("{", '{"messageId": "m1", ')), "events"))
    assert given["messageId"] == "m1"


def test_members_of_events_are_columns_with_dots(tmp_path):
    path = file(tmp_path, "a.csv", "type,event,userId,timestamp,properties.plan,context.page.url\n"
                "track,Signed Up,u1,2026-01-31,pro,\n")  # fmt: skip
    found = only(made(path, "events"))
    assert (found["properties"], "context" in found) == ({"plan": "pro"}, False)


def test_a_constant_for_a_member_holds_where_the_file_says_nothing_of_it(tmp_path):
    path = file(tmp_path, "a.csv", "type,event,userId,timestamp,properties.plan\n"
                "track,Signed Up,u1,2026-01-31,pro\ntrack,Signed Up,u2,2026-01-31,\n")  # fmt: skip
    found = made(path, "events", "", "properties.plan=free")
    assert [one["properties"]["plan"] for _, (one,), _ in found] == ["pro", "free"]


@pytest.mark.parametrize(
    ("mapping", "kind", "says"),
    [
        ("nobody", "accounts", "ecb, hubspot, salesforce"),
        ("hubspot", "costs", "only for accounts, contacts, opportunities"),
    ],
)
def test_a_mapping_that_does_not_fit_says_what_there_is(tmp_path, mapping, kind, says):
    with pytest.raises(ConfigError, match=says):
        made(file(tmp_path, "a.csv", "id\n1\n"), kind, mapping)


def test_a_file_that_the_mapping_does_not_know_says_what_was_looked_for(tmp_path):
    with pytest.raises(ConfigError, match="`Record ID` or `Record ID - Deal` or `hs_object_id` for id; it has `Deal`"):
        made(file(tmp_path, "a.csv", "Deal\n1\n"), "opportunities", "hubspot")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[costs]\nfeilds = {}\n", "feilds"),
        ("[opportunities]\nhistory = '('\n", "unterminated"),
        ("[opportunities]\nhistory = 'Entered .*'\n", "stage"),
        ("[fx]\nunpivot = {columns = '...', field = 'rate'}\n", "named group"),
        ("[format]\ndecimal = ';'\n", "decimal"),
        ("[costs]\nmerged = ['Old']\n", "costs are never merged"),
        ("[costs.without]\nchannel = '('\n", "unterminated"),
        ("[format\n", "line 1"),
    ],
)
def test_a_broken_mapping_names_the_place(tmp_path, text, says):
    with pytest.raises(ConfigError, match=says):
        mapping_of(str(file(tmp_path, "m.toml", text)))


def test_a_json_array_is_as_good_as_lines(tmp_path):
    path = file(tmp_path, "a.json", '\ufeff [\n {"id": 1},\n 7,\n {"id": 2}]')
    assert [(line, [o["id"] for o in objects], reason) for line, objects, reason in made(path, "accounts")] == [
        (1, [1], ""), (2, [], "the element is no JSON object"), (3, [2], ""),
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="begins like a JSON array"):
        made(file(tmp_path, "b.json", '[{"id": 1}'), "accounts")


def test_the_examples_of_the_page_are_mappings_and_its_options_are_the_commands(tmp_path):
    page = (Path(__file__).parents[3] / "docs" / "import.md").read_text("utf-8")
    examples = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    kinds = [mapping_of(str(file(tmp_path, f"{n}.toml", text))).kinds() for n, text in enumerate(examples)]
    assert kinds == [["costs"], ["opportunities"]]
    named = set(re.findall(r"(--[a-z][a-z-]+)", page))
    options = {name for option in command.params for name in option.opts}
    assert named <= options
    listed = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert listed == list(KINDS) == list(next(p for p in command.params if p.name == "kind").type.choices)


def test_every_shipped_mapping_says_what_it_is_for():
    found = shipped()
    assert list(found) == ["ecb", "hubspot", "salesforce"]
    assert all(m.about and m.kinds() for m in found.values())
    assert Mapping().kinds() == []


def test_central_bank_rates_are_a_row_for_each_currency(tmp_path):
    path = file(tmp_path, "r.csv", "Date,USD,JPY,CYP,\n2026-01-30,1.0842,168.5,N/A,\n")
    ((_, found, reason),) = made(path, "fx", "ecb", "updated_at=2026-02-01")
    said = {"date": "2026-01-30", "from": "EUR", "updated_at": "2026-02-01"}
    assert (found, reason) == ([said | {"to": "USD", "rate": "1.0842"}, said | {"to": "JPY", "rate": "168.5"}], "")


def test_hubspot_deals_have_their_history(tmp_path):
    path = file(tmp_path, "deals.csv",
        '"Record ID","Deal Name","Deal Stage","Amount","Close Date","Create Date","Associated Company IDs",'
        '"Last Modified Date","Date entered ""Presentation Scheduled (Sales Pipeline)""","Date entered current stage"\n'
        '"9","Big","Closed won","1,000","2026-04-20 16:40","2026-02-03 09:12","501;502","2026-06-02 11:00",'
        '"2026-02-10 10:00","2026-04-20 16:40"\n')  # fmt: skip
    assert only(made(path, "opportunities", "hubspot", "currency=EUR")) == {
        "id": "9", "name": "Big", "stage": "Closed won", "amount": "1000", "account_id": "501", "currency": "EUR",
        "closed_at": "2026-04-20T16:40:00.000Z", "created_at": "2026-02-03T09:12:00.000Z",
        "updated_at": "2026-06-02T11:00:00.000Z",
        "stages": [{"stage": "Presentation Scheduled", "at": "2026-02-10T10:00:00.000Z"}],
    }  # fmt: skip


def test_hubspot_companies_have_all_their_domains(tmp_path):
    path = file(
        tmp_path,
        "companies.csv",
        "Record ID,Company Domain Name,Additional Domains\n5,acme.com,acme.io;acme.de\n6,b.co,\n",
    )
    found = [row for _, (row,), reason in made(path, "accounts", "hubspot", "updated_at=2026-01-01") if reason == ""]
    assert [(row["domain"], row["domains"]) for row in found] == [("acme.com", ["acme.io", "acme.de"]), ("b.co", "")]


def test_hubspot_contacts_are_the_users_of_its_webhooks(tmp_path):
    path = file(tmp_path, "contacts.csv", (
        "Record ID,Email,Associated Company IDs (Primary),Last Modified Date\n7,ann@acme.com,501,2026-01-02 08:00\n"
    ))  # fmt: skip
    assert only(made(path, "contacts", "hubspot")) == {
        "id": "7", "user_id": "hubspot:7", "email": "ann@acme.com", "account_id": "501",
        "updated_at": "2026-01-02T08:00:00.000Z",
    }  # fmt: skip


MERGED = [
    ("accounts", "Company Domain Name", "acme.com",
     [{"id": "5", "merged_into": "9"}, {"id": "6", "merged_into": "9"}]),
    ("contacts", "Email", "ann@acme.com",
     [{"id": "5", "user_id": "hubspot:5", "merged_into": "9"}, {"id": "6", "user_id": "hubspot:6", "merged_into": "9"}]),
    ("opportunities", "Deal Name", "Big", [{"id": "5", "deleted": True}, {"id": "6", "deleted": True}]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "column", "cell", "gone"), MERGED)
def test_what_hubspot_merged_into_a_record_is_told_of_each_old_id(tmp_path, kind, column, cell, gone):
    text = f"Record ID,{column},Merged record IDs,Last Modified Date\n9,{cell},5; 6;9;5,2026-01-02 08:00\n8,{cell},,\n"
    path = file(tmp_path, "m.csv", text)
    (_, (heir, *old), said), (_, (alone,), _) = made(path, kind, "hubspot", "currency=EUR")
    assert (heir["id"], alone["id"], said) == ("9", "8", "")
    assert not {"merged_into", "deleted"} & {*heir, *alone}
    # Nothing but what is known of the old ones: they had another name, and no currency is theirs.
    assert old == [one | {"updated_at": "2026-01-02T08:00:00.000Z"} for one in gone]


def test_rows_that_become_several_objects_are_counted_as_rows_and_as_objects(tmp_path):
    path = file(
        tmp_path, "c.csv", (
            "Record ID,Email,Merged record IDs\n9,ann@acme.com,5;6\n8,nobody,4\n7,bob@acme.com,0\n3,cyd@acme.com,\n"
        )
    )  # fmt: skip
    told = CliRunner().invoke(command, [str(path), "--kind", "contacts", "--map", "hubspot", "--dry-run", "--json"])
    summary = json.loads(told.stdout)
    # Of a row that is bad nothing is sent: neither its contact, nor what was merged into it.
    assert (summary["rows"], summary["sent"], summary["skipped"], summary["bad"]) == (4, 4, 0, 2)
    assert summary["reasons"] == {"email: bad value": 1, "id that names nobody: bad value": 1}
    kept = (tmp_path / "c.bad.csv").read_text().splitlines()
    assert [line.split(",")[:3] for line in kept[1:]] == [["8", "nobody", "4"], ["7", "bob@acme.com", "0"]]


def test_a_list_of_ids_that_were_merged_may_be_a_list_and_numbers(tmp_path):
    path = file(tmp_path, "c.ndjson", '{"hs_object_id": 9, "hs_merged_object_ids": [5, "6;7"], "domain": "acme.com"}\n')
    ((_, objects, _),) = made(path, "accounts", "hubspot", "updated_at=2026-01-01")
    assert [(one["id"], one.get("merged_into")) for one in objects] == [(9, None), ("5", 9), ("6", 9), ("7", 9)]


@pytest.mark.parametrize(
    ("cell", "column", "stage"),
    [
        ("Closed Won", 'Date entered "Closed Won (Sales Pipeline)"', "Closed Won"),
        ("Closed Won (Sales Pipeline)", "Date entered 'Closed Won (Sales Pipeline)'", "Closed Won"),
        ("Demo (online) (Sales Pipeline)", 'Date entered "Demo (online) (Sales Pipeline)"', "Demo (online)"),
        ("Closed Won", 'Date entered "Closed Won"', "Closed Won"),
    ],
)
def test_the_pipeline_is_no_part_of_the_name_of_hubspots_stage(tmp_path, cell, column, stage):
    line = json.dumps(
        {"Record ID": "1", "Deal Stage": cell, column: "2026-01-02 08:00", "Last Modified Date": "2026-01-03"}
    )
    found = only(made(file(tmp_path, "d.ndjson", line + "\n"), "opportunities", "hubspot"))
    assert (found["stage"], found["stages"]) == (stage, [{"stage": stage, "at": "2026-01-02T08:00:00.000Z"}])


def test_what_a_mapping_takes_out_is_gone_before_it_is_renamed(tmp_path):
    mapping = file(tmp_path, "m.toml", (
        '[accounts.fields]\nid = "Nr"\nstage = "State"\n[accounts.without]\nstage = "^\\\\d+ - "\n'
        '[accounts.values.stage]\nKunde = "customer"\n'
    ))  # fmt: skip
    path = file(tmp_path, "a.csv", "Nr,State\n1,03 - Kunde\n2,Kunde\n3,\n")
    rows = [only([one])["stage"] for one in made(path, "accounts", str(mapping))]
    assert rows == ["customer", "customer", ""]


def test_hubspots_deals_have_their_contacts(tmp_path):
    path = file(tmp_path, "d.csv", "Record ID,Associated Contact IDs,Last Modified Date\n1,7;8,2026-01-02 08:00\n2,,\n")
    found = [only([one])["contact_ids"] for one in made(path, "opportunities", "hubspot")]
    assert found == [["hubspot:7", "hubspot:8"], ""]


@pytest.mark.parametrize("cell", ["7;8", "7; 8;", '"7, 8"'])
def test_contacts_of_a_deal_are_those_of_the_cell_whatever_separates_them(tmp_path, cell):
    path = file(tmp_path, "d.csv", f"Record ID,Associated Contact IDs,Last Modified Date\n1,{cell},2026-01-02 08:00\n")
    assert only(made(path, "opportunities", "hubspot"))["contact_ids"] == ["hubspot:7", "hubspot:8"]


def test_contacts_that_may_be_one_or_several_are_said_to_be_unread(tmp_path):
    path = file(
        tmp_path, "d.csv", 'id,contact_ids,contact_emails\n1,"Lee, Ann","a@b.co, c@d.co"\n2,c1,a@b.co\n3,"c1,c2",bob\n'
    )
    found = [(len(objects), said) for _, objects, said in made(path, "opportunities")]
    assert found == [(1, "contact_ids: bad value"), (1, ""), (1, "contact_emails: bad value")]


def test_a_prefix_comes_before_what_there_is_and_never_before_nothing(tmp_path):
    mapping = file(tmp_path, "m.toml", (
        '[contacts.fields]\nid = "Nr"\nemail = "Mail"\nuser_id = "Login"\n[contacts.prefixes]\nuser_id = "app:"\n'
    ))  # fmt: skip
    path = file(
        tmp_path, "c.ndjson", '{"Nr": 1, "Mail": "a@b.co", "Login": 5}\n{"Nr": 2, "Mail": "c@b.co", "Login": ""}\n'
    )
    rows = [row["user_id"] for row in (only([one]) for one in made(path, "contacts", str(mapping)))]
    assert rows == ["app:5", ""]


SALESFORCE = {
    "opportunities": [
        (("Id,AccountId,Name,StageName,Amount,CreatedDate,CloseDate,LastModifiedDate,IsDeleted\n"
          "006,001,Big,Closed Won,10.5,2026-02-01T08:00:00.000Z,2026-05-10,2026-05-12T09:00:00.000+0000,false\n"),
         {"id": "006", "account_id": "001", "name": "Big", "stage": "Closed Won", "amount": "10.5",
          "created_at": "2026-02-01T08:00:00.000Z", "closed_at": "2026-05-10", "deleted": "false",
          "updated_at": "2026-05-12T09:00:00.000Z"}),
        ("Id,OpportunityId,StageName,Amount,CreatedDate\n008,006,Prospecting,8,2026-02-01T08:00:00.000Z\n",
         {"id": "006", "stage": "Prospecting", "amount": "8", "updated_at": "2026-02-01T08:00:00.000Z"}),
        (("Id,OpportunityId,Field,OldValue,NewValue,CreatedDate\n017,006,Amount,1,2,2026-02-01T08:00:00Z\n"
          "018,006,StageName,Prospecting,Closed Won,2026-03-01T08:00:00Z\n"),
         {"id": "006", "stage": "Closed Won", "updated_at": "2026-03-01T08:00:00.000Z"}),
        (("Opportunity ID,Opportunity Name,From Stage,To Stage,Amount,Last Modified\n"
          '006,Big,,Demo,"$1,000.00",3/1/2026 9:05 AM\n'),
         {"id": "006", "stage": "Demo", "amount": "1000.00", "updated_at": "2026-03-01T09:05:00.000Z"}),
    ],
    "contacts": [
        ("Id,Email,AccountId,Title,LastModifiedDate\n003,ann@acme.com,001,CTO,2026-02-01T08:00:00Z\n",
         {"id": "003", "email": "ann@acme.com", "account_id": "001", "title": "CTO", "updated_at": "2026-02-01T08:00:00.000Z"}),
        ("Id,IsDeleted,MasterRecordId,Email,SystemModstamp\n002,true,003,ann@acme.com,2026-02-01T08:00:00Z\n",
         {"id": "002", "deleted": "true", "merged_into": "003", "email": "ann@acme.com",
          "updated_at": "2026-02-01T08:00:00.000Z"}),
        (("Id,IsDeleted,MasterRecordId,Email,Company,ConvertedAccountId,ConvertedContactId,LastModifiedDate\n"
          "00Q,false,,bob@acme.com,Acme,001,003,2026-02-01T08:00:00Z\n"),
         {"id": "00Q", "email": "bob@acme.com", "account_id": "001", "merged_into": "", "deleted": "false",
          "updated_at": "2026-02-01T08:00:00.000Z"}),
        (("Id,IsDeleted,MasterRecordId,Email,Company,ConvertedAccountId,ConvertedContactId,LastModifiedDate\n"
          "00Q,true,00R,bob@acme.com,Acme,,,2026-02-01T08:00:00Z\n"),
         {"id": "00Q", "email": "bob@acme.com", "account_id": "", "merged_into": "00R", "deleted": "true",
          "updated_at": "2026-02-01T08:00:00.000Z"}),
        ("Lead ID,Email,Last Modified Date\n00Q,bob@acme.com,2/1/2026\n",
         {"id": "00Q", "email": "bob@acme.com", "updated_at": "2026-02-01"}),
    ],
    "accounts": [
        ("Account ID,Account Name,Website,Parent Account ID,Last Modified Date\n001,Acme,www.acme.com,000P,2/1/2026\n",
         {"id": "001", "name": "Acme", "domain": "www.acme.com", "parent_id": "000P", "updated_at": "2026-02-01"}),
        ("Id,IsDeleted,MasterRecordId,Website,SystemModstamp\n002,true,001,acme.io,2026-02-01T08:00:00Z\n",
         {"id": "002", "deleted": "true", "merged_into": "001", "domain": "acme.io", "updated_at": "2026-02-01T08:00:00.000Z"}),
    ],
    "activities": [
        (("Id,Subject,StartDateTime,AccountId,LastModifiedDate,IsDeleted\n"
          "00U,Demo,2026-02-01T08:00:00Z,001,2026-02-03T08:00:00Z,true\n"),
         {"id": "00U", "subject": "Demo", "occurred_at": "2026-02-01T08:00:00.000Z", "account_id": "001", "type": "meeting",
          "updated_at": "2026-02-03T08:00:00.000Z", "deleted": "true"}),
        (("Id,WhoId,Subject,StartDateTime,AccountId,LastModifiedDate\n"
          "00U,00Q,Demo,2026-02-01T08:00:00Z,,2026-02-03T08:00:00Z\n"),
         {"id": "00U", "contact_id": "00Q", "subject": "Demo", "occurred_at": "2026-02-01T08:00:00.000Z", "account_id": "",
          "type": "meeting", "updated_at": "2026-02-03T08:00:00.000Z"}),
        # An event of a whole day has a date.
        (("Id,WhoId,AccountId,Subject,StartDateTime,ActivityDate,IsAllDayEvent,LastModifiedDate\n"
          "00U,003,,Fair,,2026-02-01,1,2026-02-03T08:00:00Z\n"),
         {"id": "00U", "contact_id": "003", "account_id": "", "subject": "Fair", "occurred_at": "2026-02-01", "type": "meeting",
          "updated_at": "2026-02-03T08:00:00.000Z"}),
        (("Id,WhoId,Subject,TaskSubtype,ActivityDate,AccountId,Status,SystemModstamp\n"
          "00T,003,Intro,Call,2026-02-01,001,Completed,2026-02-03T08:00:00Z\n"),
         {"id": "00T", "contact_id": "003", "subject": "Intro", "type": "call", "occurred_at": "2026-02-01",
          "account_id": "001", "status": "Completed", "updated_at": "2026-02-03T08:00:00.000Z"}),
        (("Id,Subject,TaskSubtype,ActivityDate,AccountId,Status,SystemModstamp\n"
          "00T,Intro,Call,2026-02-01,001,Not Started,2026-02-03T08:00:00Z\n"),
         {"id": "00T", "subject": "Intro", "type": "call", "occurred_at": "2026-02-01", "account_id": "001",
          "status": "Not Started", "updated_at": "2026-02-03T08:00:00.000Z"}),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "wanted"), [(k, *case) for k, cases in SALESFORCE.items() for case in cases])
def test_salesforce_files_are_recognised_by_their_columns(tmp_path, kind, text, wanted):
    found = [o for _, objects, reason in made(file(tmp_path, "s.csv", text), kind, "salesforce") for o in objects]
    assert found == [wanted]


def test_salesforces_reports_and_exports_mean_the_same_objects(tmp_path):
    # In the first five characters of the id 001A0000006Vm9r the fourth is a capital (8: I), in the last five the second (2: C).
    report = "Account ID,Account Name,Parent Account ID,Last Modified Date\n001A0000006Vm9r,Acme,000,2/1/2026\n"
    export = "Id,Name,ParentId,LastModifiedDate\n001A0000006Vm9rIAC,Acme,000,2026-02-01\n"
    found = [only(made(file(tmp_path, "a.csv", text), "accounts", "salesforce")) for text in (report, export)]
    assert [(one["id"], one["parent_id"]) for one in found] == [("001A0000006Vm9rIAC", "000")] * 2
    mapping = file(tmp_path, "m.toml", (
        '[format]\nids = "salesforce"\n[opportunities.fields]\nid = "Nr"\ncontact_ids = "People"\n'
    ))  # fmt: skip
    path = file(tmp_path, "o.csv", "Nr,People\n1,001A0000006Vm9r;7\n")
    assert only(made(path, "opportunities", str(mapping)))["contact_ids"] == ["001A0000006Vm9rIAC", "7"]
    own = file(tmp_path, "b.csv", "id,name\n001A0000006Vm9r,Acme\n")
    assert only(made(own, "accounts"))["id"] == "001A0000006Vm9r"


def test_an_activity_without_a_time_is_refused(tmp_path):
    path = file(tmp_path, "a.csv", "id,type,account_id,occurred_at\n1,call,a,\n")
    assert made(path, "activities")[0][2].startswith("occurred_at: is missing")


@pytest.mark.parametrize("yes", ["true", "TRUE", "1"])
def test_an_activity_that_is_gone_needs_its_id_only(tmp_path, yes):
    path = file(tmp_path, "a.csv", f"id,type,account_id,occurred_at,deleted\n1,,,,{yes}\n2,call,a,,false\n")
    assert [(line, bool(reason)) for line, _, reason in made(path, "activities")] == [(2, False), (3, True)]


def test_bad_rows_keep_their_shape(tmp_path):
    from stream.cli.importing.bad_rows import BadRows, place_of
    from stream.cli.importing.run import rehearse

    csv_file = file(tmp_path, "a.csv", 'id;email\nc1;"x;y"\nc2;ann@acme.com\n')
    lines = file(tmp_path, "b.ndjson", '{"id": "c1", "email": 7, "x": {"y": 1}}\nnone\n')
    for path in (csv_file, lines):
        plan = plan_of(path, "contacts", NONE)
        bad = BadRows(place_of(plan.source), plan.source, append=False)
        rehearse(plan, bad, lambda _: None)
        bad.close()
    assert (tmp_path / "a.bad.csv").read_text() == (
        'id;email;touchline_line;touchline_reason\nc1;"x;y";2;email: bad value\n'
    )
    kept = [json.loads(line) for line in (tmp_path / "b.bad.ndjson").read_text().splitlines()]
    assert [(k["touchline_line"], k.get("x"), k.get("text")) for k in kept] == [(1, {"y": 1}, None), (2, None, "none")]
    # Repaired in place, it is a file to import.
    again = file(tmp_path, "c.csv", (tmp_path / "a.bad.csv").read_text().replace('"x;y"', "c@acme.com"))
    assert only(made(again, "contacts")).keys() == {"id", "email", "updated_at"}


def test_a_bad_row_with_too_many_cells_keeps_them_all(tmp_path):
    from stream.cli.importing.bad_rows import BadRows, place_of
    from stream.cli.importing.run import rehearse

    path = file(tmp_path, "a.csv", "id,name,domain\n1,Acme, Inc.,acme.com\n")
    reason = '"the row has {} cells, the header {}"'
    for name, faults in (("a", (4, 3)), ("a.bad", (6, 5))):
        plan = plan_of(path.with_name(f"{name}.csv"), "accounts", NONE)
        bad = BadRows(place_of(plan.source), plan.source, append=False)
        rehearse(plan, bad, lambda _: None)
        bad.close()
        kept = bad.place.read_text().splitlines()
        assert kept == ["id,name,domain,touchline_line,touchline_reason",
                        f"1,Acme, Inc.,acme.com,2,{reason.format(*faults)}"]  # fmt: skip
    repaired = file(tmp_path, "b.csv", "\n".join(kept).replace("Acme, Inc.", '"Acme, Inc."'))
    assert only(made(repaired, "accounts"))["domain"] == "acme.com"


@pytest.mark.parametrize(
    ("kind", "lines", "counts"),
    [
        (
            "costs",
            ("date,utm_campaign,amount,currency,Ad group", "2026-03-01,x,10,EUR,a", "2026-03-01,x,20,EUR,b"),
            False,
        ),
        (
            "costs",
            ("date,utm_campaign,amount,currency,Ad group", "2026-03-01,x,10,EUR,a", "2026-03-01,x,10.00,EUR,b"),
            True,
        ),
        ("costs", ("date,utm_campaign,amount,currency", "2026-03-01,x,10,EUR", "2026-03-01,y,20,EUR"), True),
        (
            "costs",
            ("date,amount,currency,updated_at", "2026-03-01,10,EUR,2026-03-02", "2026-03-01,20,EUR,2026-03-03"),
            True,
        ),
        ("fx", ("date,from,to,rate", "2026-03-01,EUR,USD,1.1", "2026-03-01,EUR,USD,1.2"), False),
        ("fx", ("date,from,to,rate", "2026-03-01,EUR,USD,1.1", "2026-03-01,USD,EUR,1.1"), False),
        ("fx", ("date,from,to,rate", "2026-03-01,EUR,USD,1.1", "2026-03-01,EUR,GBP,1.2"), True),
    ],
)
def test_a_cost_or_rate_that_contradicts_one_before_it_is_refused(tmp_path, kind, lines, counts):
    path = file(tmp_path, "a.csv", "\n".join(lines))
    (_, one, _), (_, other, reason) = made(path, kind)
    assert (len(one), len(other), reason == "") == (1, counts, counts)
    # Also when the first one was sent before an interruption.
    ((_, again, _),) = made_of(plan_of(path, kind, NONE), skip=1)
    assert len(again) == counts


@pytest.mark.parametrize(
    ("cell", "beside", "wanted"),
    [
        ("EUR 5", "USD", None), ("€5", "USD", None), ("5 EUR", "eur", "EUR"), ("€5", "", "EUR"), ("USD 5", "", "USD"),
        ("$5", "CAD", "CAD"), ("$5", "", "CHF"), ("5", "USD", "USD"),
    ],
)  # fmt: skip
def test_the_currency_that_an_amount_names_holds_and_contradicts_no_other(tmp_path, cell, beside, wanted):
    path = file(tmp_path, "a.csv", f"id,amount,currency\n1,{cell},{beside}\n")
    ((_, objects, reason),) = made(path, "opportunities", "", "currency=CHF")
    assert [one["currency"].upper() for one in objects] == ([wanted] if wanted else [])
    assert reason == ("" if wanted else "amount: names another currency than the row")


def test_rows_that_a_mapping_tells_by_a_column_need_that_column(tmp_path):
    mapping = str(file(tmp_path, "m.toml", '[accounts]\nonly = {State = ["live"]}\n[accounts.fields]\nid = "Nr"\n'))
    with pytest.raises(ConfigError, match="no column `State`"):
        made(file(tmp_path, "a.csv", "Nr\n1\n"), "accounts", mapping)
    lines = file(tmp_path, "a.ndjson", '{"Nr": "1"}\n{"Nr": "2", "state": "Live"}\n')
    assert [len(objects) for _, objects, _ in made(lines, "accounts", mapping)] == [0, 1]


def test_parquets_decimals_are_numbers_and_its_local_times_are_of_the_files_zone(tmp_path):
    path = tmp_path / "a.parquet"
    noon = datetime(2026, 7, 1, 12)  # noqa: DTZ001  # that is what is tested
    table = {
        "id": ["1"],
        "amount": pa.array([Decimal("12.345")], pa.decimal128(18, 3)),
        "updated_at": pa.array([noon], pa.timestamp("us")),
        "closed_at": pa.array([noon.replace(tzinfo=UTC)], pa.timestamp("ms", tz="UTC")),
    }
    pq.write_table(pa.table(table), path)
    # In a process of its own: one has one embedded ClickHouse, and other tests have theirs.
    told = subprocess.run(
        [sys.executable, "-m", "stream.cli.main", "import", str(path), "--kind", "opportunities", "--dry-run",
         "--decimal", ",", "--timezone", "Europe/Vienna"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    found = json.loads(told[told.index("{") : told.index("}") + 1])
    assert (found["amount"], found["updated_at"], found["closed_at"]) == (
        "12.345",
        "2026-07-01T10:00:00.000Z",
        "2026-07-01T12:00:00.000Z",
    )
