"""Lists and e-mails of real shops: what do lists hold, and what does an e-mail cause?

    python benchmarks/profit_shops.py --data DIR    with orders_online_retail/ and ab_hillstrom/

Baskets: of every invoice of the last two months the first half is known and the rest is to be
foreseen, with lists of ten from what was bought together before; a line is worth 30 % of its
price. Against what was popular before, and what earned most in the other baskets of these months.

E-mails: 64,000 customers, who got one drawn at random. Half of them teach a model of who visits
after an e-mail, the other half judge it; a purchase brings 40 % of what was spent.

Sources: Online Retail (Chen, Sain and Guo 2012), MineThatData e-mail challenge (Hillstrom 2008).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.ensemble import HistGradientBoostingRegressor

from thinslice.profit import Evaluation, Payoff, Plan, evaluate

LENGTH = 10
FEWEST_LINES = 4
HELD_OUT = pd.DateOffset(months=2)
PURCHASE = Payoff.ranking(purchase="price * 0.3", currency="GBP")
MAIL_COSTS = (0.1, 0.3, 0.5)


def lines(folder: Path) -> pd.DataFrame:
    """One row per product and invoice: what was paid for, without postage and credit notes."""
    found = pd.read_parquet(folder / "orders_online_retail" / "online_retail.parquet")
    invoice, code = found.InvoiceNo.astype(str), found.StockCode.astype(str)
    bought = (found.UnitPrice > 0) & (found.Quantity > 0) & ~invoice.str.startswith("C")
    found = found[bought & code.str.match(r"^\d{5}")].drop_duplicates(["InvoiceNo", "StockCode"])
    return found.assign(when=pd.to_datetime(found.InvoiceDate))


def together(train: pd.DataFrame, items: pd.Index) -> tuple[Any, Any]:
    """How often two items were in one basket (cosine), and the items by how often they were."""
    basket = pd.factorize(train.InvoiceNo)[0]
    place = items.get_indexer(train.StockCode)
    bought = sp.csr_matrix((np.ones(len(train)), (basket, place)), (basket.max() + 1, len(items)))
    both = (bought.T @ bought).tocsr()
    times = np.asarray(both.diagonal())
    both.setdiag(0)
    scale = sp.diags(1 / np.sqrt(np.maximum(times, 1)))
    return scale @ both @ scale, np.argsort(-times, kind="stable")


def baskets(folder: Path) -> None:
    found = lines(folder)
    start = found.when.max() - HELD_OUT
    train, test = found[found.when < start], found[found.when >= start]
    prices = found.groupby("StockCode").UnitPrice.median()
    items = prices.index
    near, popular = together(train, items)
    bought, lists, usual, who = [], [], [], []
    for invoice, basket in test.groupby("InvoiceNo", sort=False):
        codes = items.get_indexer(basket.StockCode)
        if len(codes) < FEWEST_LINES:
            continue
        seen, rest = codes[: len(codes) // 2], codes[len(codes) // 2 :]
        score = np.asarray(near[seen].sum(axis=0)).ravel()
        score[seen] = -1
        bought.append(items[rest].tolist())
        lists.append(items[np.argsort(-score, kind="stable")[:LENGTH]].tolist())
        usual.append(items[popular[~np.isin(popular, seen)][:LENGTH]].tolist())
        customer = basket.CustomerID.iloc[0]
        who.append(f"customer {customer}" if pd.notna(customer) else f"invoice {invoice}")
    print(f"\nbaskets: {len(bought):,} of {len(set(who)):,} customers, {len(train):,} lines before")
    table = pd.DataFrame({"item": items, "price": prices.to_numpy()})
    for name, baseline in (("what was popular before", usual), ("popular now", "popular")):
        plan = Plan(PURCHASE, baseline=baseline, per_year=6)
        print(f" against {name}")
        report(evaluate(bought, lists, plan, data=table, cluster=who))


def mails(folder: Path) -> None:
    found = pd.read_csv(folder / "ab_hillstrom" / "hillstrom.csv.gz")
    found = found[found.segment != "Womens E-Mail"].reset_index(drop=True)
    mailed = (found.segment == "Mens E-Mail").astype(int)
    known = ["recency", "history", "mens", "womens", "zip_code", "newbie", "channel"]
    features = pd.get_dummies(found[known]).astype(float)
    learn = found.index % 2 == 0
    taught = learn & (mailed == 1)
    model = HistGradientBoostingRegressor(max_depth=3, max_iter=60, random_state=0)
    score = model.fit(features[taught], found.visit[taught]).predict(features[~learn])
    test = found[~learn].assign(mailed=mailed)
    for cost in MAIL_COSTS:
        worth = f"spend * 0.4 - {cost}"
        payoff = Payoff(tp=worth, fp=-cost, fn="spend * 0.4", currency="USD")
        for baseline in ("nothing", "all"):
            print(f"\ne-mails at USD {cost}, {len(test):,} customers, against {baseline}")
            plan = Plan(payoff, baseline=baseline)
            report(evaluate(test.visit, score, plan, data=test, treatment="mailed"))


def report(found: Evaluation) -> None:
    print(f"  {found.sentence} {found.reason}")
    for name, rival in found.rivals.items():
        low, likely, high = rival.gain
        print(
            f"    {name:<10} {rival.total:>10,.0f}   more a year: {low:>10,.0f} {likely:>10,.0f} "
            f"{high:>10,.0f}   beats it {rival.p_beats:6.1%}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    for trial in (baskets, mails):
        try:
            trial(given.data)
        except FileNotFoundError as missing:
            print(f"\n{trial.__name__}: not run, {missing.filename} is not there")


if __name__ == "__main__":
    main()
