"""Compares a payment provider's settlement with an export of our orders, both CSV with columns order_id and amount.

Input is a JSON file named by FIBRIC_INPUT, the result a JSON file named by FIBRIC_OUTPUT; standard output is only a log.
"""

import csv
import json
import os
from decimal import Decimal


def main() -> None:
    with open(os.environ["FIBRIC_INPUT"], encoding="utf-8") as source:
        inputs = json.load(source)
    settled = amounts(inputs["settlement"])
    ordered = amounts(inputs["orders"])
    tolerance = Decimal(str(inputs.get("tolerance", 0)))
    differences = [
        {"order_id": order_id, "settled": text(settled.get(order_id)), "ordered": text(ordered.get(order_id))}
        for order_id in sorted(settled.keys() | ordered.keys())
        if differs(settled.get(order_id), ordered.get(order_id), tolerance)
    ]
    print(f"{len(settled)} settled, {len(ordered)} ordered, {len(differences)} differences")
    matched = len(settled.keys() | ordered.keys()) - len(differences)
    with open(os.environ["FIBRIC_OUTPUT"], "w", encoding="utf-8") as target:
        json.dump({"matched": matched, "differences": differences}, target)


def amounts(path: str) -> dict[str, Decimal]:
    """Sums the amounts of an order: a settlement lists a partial refund as a line of its own."""
    sums: dict[str, Decimal] = {}
    with open(path, newline="", encoding="utf-8") as source:
        for row in csv.DictReader(source):
            sums[row["order_id"]] = sums.get(row["order_id"], Decimal(0)) + Decimal(row["amount"])
    return sums


def differs(settled: Decimal | None, ordered: Decimal | None, tolerance: Decimal) -> bool:
    return settled is None or ordered is None or abs(settled - ordered) > tolerance


def text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


if __name__ == "__main__":
    main()
