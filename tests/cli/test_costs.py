"""`chatsim costs` prints a file of costs that `--costs` takes."""

from click.testing import CliRunner

from chatsim.cli import main
from chatsim.worlds.model.costs import ModelCosts


def test_what_it_prints_is_a_file_of_the_default_costs(tmp_path):
    printed = CliRunner().invoke(main, ["costs"])
    assert printed.exit_code == 0
    mine = tmp_path / "my.toml"
    mine.write_text(printed.stdout)
    assert ModelCosts.read(mine) == ModelCosts.read(None)
    for words in ("[database]", "cores", "flush", "[node.service]"):
        assert words in printed.stdout


def test_the_help_of_the_option_says_where_the_keys_are():
    assert "chatsim costs" in CliRunner().invoke(main, ["race", "--help"]).stdout.replace("\n", " ")
