"""The style of the reports: quiet, for screen and paper; the colours are those of the page."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--ink:#15202b;--quiet:#53616f;--line:#cfd7df;--grid:#e8ecf0;--card:#fff;--page:#eef1f4;
--user:#0b62c1;--agent:#b2560a;--target:#6d55a8;--good:#18753b;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#e4ebf1;--quiet:#9aa9b7;--line:#2c3945;--grid:#202b35;--card:#151d25;
--page:#0d1319;--user:#68b0ff;--agent:#f0a13a;--target:#b8a4f0;--good:#6fd296;--bad:#ff8f85}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:14px/1.5 system-ui,sans-serif;
font-variant-numeric:tabular-nums}
main{max-width:1120px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:20px;margin:0 0 14px}h1 code{font-size:15px;font-weight:500;overflow-wrap:anywhere}
h2{font-size:15px;margin:0 0 4px}
section{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:16px 18px;margin:14px 0}
.note,.legend,small,dt,figcaption{color:var(--quiet)}
.note{margin:0 0 10px;max-width:80ch}section>p{max-width:80ch}
.verdict{font-size:16px;font-weight:600;margin:16px 0}
dl{display:flex;flex-wrap:wrap;gap:6px 28px;margin:0}dt{font-size:12px}dd{margin:0;font-weight:550}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{padding:4px 10px;text-align:right;vertical-align:top;border-bottom:1px solid var(--grid);white-space:nowrap}
th{font-weight:550}thead th{color:var(--quiet);font-size:12px;vertical-align:bottom;white-space:normal}
th:first-child{text-align:left;padding-left:0}
td b{font-weight:500}td small{display:block;font-size:11px}
.chance b{color:var(--quiet);font-weight:400}
.towards b{color:var(--good);font-weight:700}.away b{color:var(--bad);font-weight:700}
.multiples{display:grid;grid-template-columns:repeat(auto-fill,minmax(330px,1fr));gap:14px}
.scatters{display:grid;grid-template-columns:repeat(auto-fill,minmax(240px,1fr));gap:14px}
figure{margin:0}figcaption{font-weight:550;color:var(--ink)}.scatters small{display:block;font-size:11px}
svg{display:block;max-width:100%;height:auto}
.scatters svg{width:150px}.multiples svg{width:100%}td.chart svg{margin-left:auto}
svg text{font-size:9px;fill:var(--quiet)}
.legend span{margin-right:18px}
span.user{color:var(--user)}span.target{color:var(--target)}span.agent{color:var(--agent)}
polyline{fill:none;stroke-width:1.6;stroke-linejoin:round}
polyline.user,.dot.user{stroke:var(--user)}polyline.agent,.dot.agent{stroke:var(--agent)}
polyline.target{stroke:var(--target);stroke-dasharray:4 3;stroke-width:1.2}.dot.target{stroke:var(--target)}
.dot{stroke-width:1}.dot.user{fill:var(--user)}.dot.agent{fill:var(--agent)}.dot.target{fill:var(--card)}
line.grid{stroke:var(--grid)}line.zero{stroke:var(--line)}
rect.before{fill:none;stroke:var(--quiet)}rect.after{fill:var(--quiet)}
@media print{body{background:none;font-size:11px}section{break-inside:avoid;border:0;padding:8px 0}main{padding:0}}
"""
