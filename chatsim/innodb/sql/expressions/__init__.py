"""SQL expressions, compiled once per statement into functions of the rows at hand (MySQL manual, "Expressions").

`Scope` says what names mean and compiles; `operands`, `operators`, `bit_operators`, `functions`, `casts` and
`intervals` know how each kind of expression is compiled; `native` has the table of functions, and `text_functions`,
`number_functions`, `date_functions` and `json_functions` fill it; `array_conditions` has the conditions on arrays that
are indexed; `comparison` and `arithmetic` calculate with values; `environment` is the argument of the functions.
"""

from chatsim.innodb.sql.expressions import (  # noqa: F401 - each registers its expressions, or its functions
    array_conditions,
    bit_operators,
    casts,
    date_functions,
    functions,
    json_values,
    number_functions,
    operands,
    operators,
)
from chatsim.innodb.sql.expressions.arithmetic import divide
from chatsim.innodb.sql.expressions.comparison import compare, is_true
from chatsim.innodb.sql.expressions.environment import Context, Env, Function, Unsupported, unsupported
from chatsim.innodb.sql.expressions.expression_key import expression_key
from chatsim.innodb.sql.expressions.native import native_function
from chatsim.innodb.sql.expressions.scope import Scope

__all__ = [
    "Context",
    "Env",
    "Function",
    "Scope",
    "Unsupported",
    "compare",
    "divide",
    "expression_key",
    "is_true",
    "native_function",
    "unsupported",
]
