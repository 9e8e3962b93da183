/**
 * The style sheet of the report: one column on a phone, several beside each other on a screen, black on white on paper.
 * Head, medium and tail have one colour each throughout (Okabe and Ito's palette, told apart by colour-blind readers
 * too), runs have others, and all drawings take their colours from here.
 */
export const STYLE = `
:root{color-scheme:light dark;--paper:#fff;--card:#f6f7f9;--ink:#1b1f24;--muted:#5d6672;--rule:#d9dde3;--grid:#e8ebef;
--head:#0072b2;--medium:#009e73;--tail:#d55e00;--none:#6b7280;--series:#3d4fa3;--alarm:#b42318;--alarm-paper:#fdecea;--good:#0a7d54;
--run0:#1b1f24;--run1:#b3398f;--run2:#a87800;--run3:#4353c4;--run4:#6c8f00;--run5:#8a5a44}
@media (prefers-color-scheme:dark){:root{--paper:#14171b;--card:#1d2127;--ink:#e7eaee;--muted:#9aa4b1;--rule:#363d47;--grid:#272d35;
--head:#56b4e9;--medium:#2cc295;--tail:#ff8a4c;--none:#9aa4b1;--series:#93a5ff;--alarm:#ff8b80;--alarm-paper:#3a1c1a;--good:#4fd6a5;
--run0:#e7eaee;--run1:#f08fd5;--run2:#e6b93f;--run3:#9aa6ff;--run4:#b7d84b;--run5:#d2a089}}
@media print{:root{color-scheme:light;--paper:#fff;--card:#fff;--ink:#000;--muted:#444;--rule:#bbb;--grid:#ddd;
--head:#0072b2;--medium:#009e73;--tail:#d55e00;--none:#6b7280;--series:#3d4fa3;--alarm:#b42318;--alarm-paper:#fff;--good:#0a7d54;
--run0:#1b1f24;--run1:#b3398f;--run2:#a87800;--run3:#4353c4;--run4:#6c8f00;--run5:#8a5a44}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0 auto;padding:1.5rem clamp(.9rem,3vw,2.5rem) 4rem;max-width:76rem;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"Noto Sans",sans-serif}
h1{font-size:1rem;font-weight:600;margin:0 0 1rem;color:var(--muted)}
h2{font-size:1.75rem;line-height:1.2;margin:1.5rem 0 .25rem;overflow-wrap:anywhere;letter-spacing:-.01em}
h3{font-size:1.2rem;margin:0 0 .75rem}
h4{font-size:.95rem;margin:1.25rem 0 .4rem}
a{color:inherit}
.keep{white-space:nowrap;font-style:normal}
.below{display:block;font-size:.78rem;color:var(--muted)}
section{margin-top:3rem;padding-top:1.25rem;border-top:1px solid var(--rule)}
#comparison{border:0;padding:0;margin:0 0 3rem}
#comparison+article,article+article{margin-top:4rem;border-top:4px solid var(--rule)}
.lead{font-size:1.05rem;max-width:80ch;margin:0 0 1.25rem}
.fine{font-size:.82rem;color:var(--muted);max-width:95ch}
.muted{color:var(--muted);font-weight:400}
.warn,.wrong{color:var(--alarm)}
.right{color:var(--good)}
.banner{background:var(--alarm-paper);color:var(--alarm);border:2px solid var(--alarm);border-radius:6px;padding:.7rem 1rem;margin:0 0 1rem}
.banner b{display:block;font-size:1.15rem;letter-spacing:.02em}
.callout{background:var(--card);border-left:4px solid var(--tail);padding:.75rem 1rem;margin:1.25rem 0;border-radius:0 6px 6px 0}
.callout h3{font-size:.95rem;margin:0 0 .25rem}
.callout ul,.fine ul,ul.fine{margin:.25rem 0;padding-left:1.1rem}
li{overflow-wrap:anywhere}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.75rem;margin:0 0 .75rem}
.tile{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:.8rem 1rem}
.tile h3{font-size:.82rem;font-weight:600;color:var(--muted);margin:0}
.tile .figure{font-size:2.1rem;line-height:1.2;font-weight:650;margin:.1rem 0;font-variant-numeric:tabular-nums;letter-spacing:-.02em}
.tile .fine{margin:0}
.tile span{display:block}
.grid2,.grid3{display:grid;gap:1.25rem 2rem;align-items:start}
@media (min-width:46rem){.grid2{grid-template-columns:1fr 1fr}.grid3{grid-template-columns:repeat(3,1fr)}}
@media (min-width:60rem){.beside{display:grid;grid-template-columns:minmax(0,27rem) minmax(0,1fr);gap:1.25rem 2rem;align-items:start}.beside th,.beside td{padding:.28rem .4rem}.beside th.n{min-width:0}}
figure{margin:0;min-width:0}
figcaption{font-size:.85rem;font-weight:600;margin-bottom:.35rem}
svg{display:block;width:100%;height:auto;overflow:visible;font:11px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif;font-variant-numeric:tabular-nums}
svg text{fill:var(--ink)}
svg .tick,svg .label,svg .note{fill:var(--muted)}
svg .note{font-size:10px;paint-order:stroke;stroke:var(--paper);stroke-width:3px}
svg .value{font-size:10px}
svg .divide{stroke:var(--rule);stroke-width:1}
svg .group{fill:var(--c);font-size:10px;font-weight:600}
svg .axis,svg .tickmark{stroke:var(--muted);stroke-width:1}
svg .grid{stroke:var(--grid);stroke-width:1}
svg .reference{stroke:var(--muted);stroke-width:1;stroke-dasharray:4 3}
svg .border{stroke:var(--muted);stroke-width:1}
svg .upright{stroke:var(--muted);stroke-width:1;stroke-dasharray:2 3}
svg .guess{stroke:var(--ink);stroke-width:2}
svg .line{fill:none;stroke:var(--c);stroke-width:1.6;stroke-linejoin:round}
svg .line.strong{stroke:var(--ink);stroke-width:1.8}
svg .band{fill:var(--c);opacity:.18}
svg .bar,svg .dot{fill:var(--c)}
.head{--c:var(--head)}.medium{--c:var(--medium)}.tail{--c:var(--tail)}.none{--c:var(--none)}.series{--c:var(--series)}
.run0{--c:var(--run0)}.run1{--c:var(--run1)}.run2{--c:var(--run2)}.run3{--c:var(--run3)}.run4{--c:var(--run4)}.run5{--c:var(--run5)}
.chip{display:inline-block;font-size:.78rem;font-weight:600;color:var(--c);white-space:nowrap}
.chip::before,.key::before{content:"";display:inline-block;width:.65em;height:.65em;border-radius:2px;background:var(--c);margin-right:.35em}
.key::before{border-radius:50%}
.guess-key{display:inline-block;width:2px;height:.9em;background:var(--ink);vertical-align:-.1em;margin:0 .3em 0 1em}
.legend{font-size:.85rem;margin:.5rem 0 1.25rem}
.legend .chip{margin-right:1rem}
.legend .key{margin-left:1rem}
.legend .key:first-child{margin-left:0}
.scroll{overflow-x:auto;margin:1rem 0}
table{border-collapse:collapse;font-size:.85rem;width:100%}
caption{max-width:calc(100vw - 2rem);text-align:left;font-weight:600;padding-bottom:.35rem}
th,td{padding:.28rem .6rem;text-align:left;border-bottom:1px solid var(--grid);white-space:nowrap}
thead th{border-bottom:1px solid var(--muted);font-weight:600;vertical-align:bottom}
thead th.n{white-space:normal;min-width:3.6rem}
tfoot th,tfoot td{border-top:1px solid var(--muted);border-bottom:0}
tbody th,tfoot th{font-weight:500;position:sticky;left:0;background:var(--paper)}
tbody th{max-width:16rem;overflow:hidden;text-overflow:ellipsis}
.n{text-align:right;font-variant-numeric:tabular-nums}
.class-row{margin-top:1.25rem}
.s0{--p:0%}.s1{--p:10%}.s2{--p:25%}.s3{--p:45%}.s4{--p:70%}.s5{--p:100%}
svg .cell{fill:color-mix(in srgb,var(--series) var(--p),var(--card))}
svg .cell-value{font-size:9px}
svg .cell-value.light{fill:var(--paper)}
.shade{display:inline-block;font-size:.78rem;margin-right:1rem;white-space:nowrap}
.shade::before{content:"";display:inline-block;width:1.1em;height:1.1em;vertical-align:-.2em;margin-right:.35em;border:1px solid var(--rule);background:color-mix(in srgb,var(--series) var(--p),var(--card))}
.findings{list-style:none;margin:0;padding:0;max-width:95ch}
.findings li{border-left:4px solid var(--c);background:var(--card);padding:.55rem .9rem;margin:.5rem 0;border-radius:0 6px 6px 0}
.findings span{display:block}
.serious{--c:var(--alarm)}.warning{--c:var(--tail)}.note{--c:var(--none)}
.samples{display:grid;grid-template-columns:repeat(2,1fr);gap:1rem}
@media (min-width:34rem){.samples{grid-template-columns:repeat(3,1fr)}}
@media (min-width:60rem){.samples{grid-template-columns:repeat(6,1fr)}}
.sample{font-size:.8rem}
.sample img,.no-picture{display:block;width:100%;height:auto;border-radius:4px;background:#000}
.no-picture{aspect-ratio:1;display:grid;place-content:center;color:#aaa}
.sample figcaption{font-size:.8rem;font-weight:400;margin:.35rem 0 0}
.sample ul{list-style:none;margin:.15rem 0;padding:0}
.sample li{display:block}
.sample .id{font-size:.72rem;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(17rem,1fr));gap:.5rem 2rem;margin:0}
dt{font-size:.8rem;color:var(--muted)}
dd{margin:0;overflow-wrap:anywhere}
pre{background:var(--card);border:1px solid var(--rule);border-radius:6px;padding:.75rem 1rem;font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre-wrap;overflow-wrap:anywhere;margin:.25rem 0}
pre.recipe{columns:19rem;column-gap:2rem}
footer{margin-top:3rem;padding-top:1rem;border-top:1px solid var(--rule)}
.samples.three{grid-template-columns:repeat(3,1fr);gap:.5rem}
@media print{@page{margin:14mm}body{padding:0;max-width:none;font-size:10pt;-webkit-print-color-adjust:exact;print-color-adjust:exact}
section{margin-top:1.5rem}figure,tr,.tile,.class-row,.callout{break-inside:avoid}h2,h3,h4{break-after:avoid}
.scroll{overflow:visible}tfoot{display:table-row-group}table{font-size:7.5pt}th,td{padding:.15rem .3rem;white-space:normal}tbody th{position:static}
.tiles{grid-template-columns:repeat(4,1fr)}.grid2{grid-template-columns:1fr 1fr}.grid3{grid-template-columns:repeat(3,1fr)}
.samples{grid-template-columns:repeat(6,1fr)}.samples.three{grid-template-columns:repeat(3,1fr)}}
`;
