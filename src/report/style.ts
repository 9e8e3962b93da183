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
svg .group{fill:var(--muted);font-size:10px;font-weight:600}
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
svg .negatives{--c:var(--none);opacity:.6}
svg .whisker{fill:none;stroke:var(--ink);stroke-width:1.2}
.head{--c:var(--head)}.medium{--c:var(--medium)}.tail{--c:var(--tail)}.none{--c:var(--none)}.series{--c:var(--series)}
.waiting{--c:var(--tail)}
.run0{--c:var(--run0)}.run1{--c:var(--run1)}.run2{--c:var(--run2)}.run3{--c:var(--run3)}.run4{--c:var(--run4)}.run5{--c:var(--run5)}
.chip{display:inline-block;font-size:.78rem;font-weight:600;white-space:nowrap}
.chip::before,.key::before{content:"";display:inline-block;width:.65em;height:.65em;border-radius:2px;background:var(--c);margin-right:.35em}
.key::before{border-radius:50%}
.guess-key{display:inline-block;width:2px;height:.9em;background:var(--ink);vertical-align:-.1em;margin:0 .3em 0 1em}
.whisker-key{display:inline-block;width:1.1em;height:.55em;border:solid var(--ink);border-width:0 1.5px;background:linear-gradient(var(--ink),var(--ink)) center/100% 1.5px no-repeat;margin:0 .3em 0 1em}
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
.samples{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:1rem}
@media (min-width:46rem){.samples{grid-template-columns:repeat(3,minmax(0,1fr))}}
.samples.three{grid-template-columns:repeat(3,minmax(0,1fr));gap:.5rem}
.sample{font-size:.8rem}
.sample img,.no-picture{display:block;width:100%;height:auto;border-radius:4px;background:#000}
.no-picture{aspect-ratio:1;display:grid;place-content:center;color:#bbb}
.sample figcaption{font-size:.8rem;font-weight:400;margin:.35rem 0 0}
.sample .id{font-size:.72rem;overflow-wrap:anywhere}
h5{font-size:.82rem;margin:.25rem 0 .4rem;color:var(--muted);font-weight:600}
.outcomes{display:grid;gap:1rem 1.25rem;align-items:start}
@media (min-width:46rem){.outcomes{grid-template-columns:repeat(3,minmax(0,1fr))}}
.outcomes>div{display:grid;gap:1rem}
.class-images{margin-top:1.75rem;padding-top:.25rem;border-top:1px solid var(--grid)}
.case{font-size:.82rem}
.case figcaption{font-size:inherit;font-weight:400;margin:.4rem 0 0}
.case p,.viewer-text p{margin:0}
.case ul,.viewer-text ul{list-style:none;margin:.3rem 0;padding:0}
.case-title .n,.case li .n,.viewer-text li .n{float:right}
.outcome{font-weight:600;white-space:nowrap}
[data-outcome=right] .outcome,.good{color:var(--good)}
[data-outcome=wrong] .outcome,[data-outcome=missed] .outcome,.bad{color:var(--alarm)}
.case .id,.viewer-text .id{font-size:.75rem;color:var(--muted);overflow-wrap:anywhere}
.enlarge{display:block;width:100%;padding:0;border:0;border-radius:4px;background:#000;cursor:zoom-in;overflow:hidden}
.radiograph{overflow:hidden;background:#000}
.enlarge .map{display:none}
.beside-map{display:grid;grid-template-columns:minmax(0,2fr) minmax(0,3fr);gap:.75rem;margin:.4rem 0}
.looked{color:var(--muted)}
.inset{overflow:hidden;background:#000;border-radius:3px}
.map-key{display:inline-block;width:6em;height:.7em;border:1px solid var(--rule);vertical-align:-.05em;margin:0 .35em}
.unseen{position:absolute;width:1px;height:1px;margin:-1px;padding:0;overflow:hidden;clip-path:inset(50%);white-space:nowrap;border:0}
.store{position:absolute;width:0;height:0;overflow:hidden}
.skip{position:absolute;left:-100vw;top:0;background:var(--paper);padding:.5rem 1rem;border:2px solid var(--ink);z-index:1}
.skip:focus{left:.5rem}
:focus-visible{outline:3px solid var(--series);outline-offset:2px}
main:focus,[id=viewer-title]:focus{outline:none}
.jump{margin:1rem 0}
.jump ul{list-style:none;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:.35rem}
.jump a{display:block;padding:.3rem .7rem;border:1px solid var(--rule);border-radius:1rem;background:var(--card);font-size:.82rem;text-decoration:none}
.jump a:hover{border-color:var(--ink)}
.numbers{font-size:.82rem;margin-top:.25rem}
.numbers summary{cursor:pointer;color:var(--muted);padding:.2rem 0;width:fit-content}
.numbers .scroll{margin:.25rem 0;max-height:22rem;overflow:auto}
.numbers table{width:auto}
.numbers thead th{position:sticky;top:0;background:var(--paper)}
.histograms{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(14.5rem,100%),1fr));gap:1rem 1.25rem}
.plot>.scroll{margin:0}
.plot>.scroll>svg{min-width:34rem}
button{font:inherit;color:inherit}
kbd{font:.78em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;border:1px solid var(--rule);border-radius:3px;padding:0 .3em;background:var(--paper)}
.viewer{width:100vw;height:100dvh;max-width:100vw;max-height:100dvh;margin:0;border:0;padding:0;background:var(--paper);color:var(--ink)}
.viewer[open]{display:grid;grid-template-rows:auto minmax(0,1fr) auto}
.viewer::backdrop{background:#000c}
.viewer-head,.viewer-foot{display:flex;gap:1rem;align-items:center;justify-content:space-between;padding:.6rem 1rem}
.viewer h2{font-size:1.1rem;margin:0;min-width:0}
.viewer h2 .n{margin-left:.5rem}
.viewer button,.viewer .check{border:1px solid var(--rule);border-radius:6px;background:var(--card);padding:.35rem .8rem;cursor:pointer;min-height:2.25rem}
.viewer button:hover:enabled{border-color:var(--ink)}
.viewer button:disabled{color:var(--muted);cursor:default}
.viewer button[aria-pressed=true]{background:var(--ink);color:var(--paper)}
.viewer-body{overflow:auto;display:grid;align-content:start;gap:1rem;padding:0 1rem}
.stage{position:relative;background:#000;border-radius:4px;aspect-ratio:1;max-height:70dvh;width:100%;touch-action:none;cursor:crosshair;user-select:none}
.stage-picture{position:absolute;inset:0}
.stage-picture svg{width:100%;height:100%}
.side{position:absolute;top:.4rem;z-index:1;color:#fff;font-weight:700;text-shadow:0 0 3px #000,0 0 3px #000;pointer-events:none}
.side:first-child{left:.6rem}.side:last-child{right:.6rem}
.viewer-panel{font-size:.88rem}
.viewer-panel .beside-map{display:block}.viewer-panel .inset{display:none}
.viewer fieldset{border:1px solid var(--rule);border-radius:6px;margin:.75rem 0;padding:.5rem .8rem .8rem;min-width:0}
.viewer fieldset[hidden]{display:none}
.viewer label{display:block;margin:.35rem 0}
.viewer label output{float:right;font-variant-numeric:tabular-nums}
.viewer input[type=range]{width:100%;accent-color:var(--series);display:block;height:1.5rem}
.viewer .buttons{display:flex;gap:.5rem;margin-top:.5rem}
.viewer .check{display:inline-block}
@media (min-width:52rem){.viewer-body{grid-template-columns:minmax(0,1fr) 20rem;overflow:hidden;align-content:stretch;grid-template-rows:minmax(0,1fr)}
.stage{aspect-ratio:auto;max-height:none;height:100%}.viewer-panel{overflow:auto;padding-right:.25rem}}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(17rem,100%),1fr));gap:.5rem 2rem;margin:0}
dt{font-size:.8rem;color:var(--muted)}
dd{margin:0;overflow-wrap:anywhere}
pre{background:var(--card);border:1px solid var(--rule);border-radius:6px;padding:.75rem 1rem;font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre-wrap;overflow-wrap:anywhere;margin:.25rem 0}
pre.recipe{columns:19rem;column-gap:2rem}
#overview{border:0;padding:0;margin:0 0 3rem}
#overview thead th{white-space:normal;min-width:4.2rem}
.sortable button{all:unset;display:block;width:100%;cursor:pointer;font:inherit;text-align:inherit}
.sortable button:focus-visible{outline:2px solid var(--series);outline-offset:2px}
.sortable [aria-sort=descending] button::after{content:" ▼"}.sortable [aria-sort=ascending] button::after{content:" ▲"}
td.setting{white-space:normal;overflow-wrap:anywhere;max-width:14rem}
svg.spark{width:6.5rem;min-width:6.5rem}
svg .loss{stroke-dasharray:3 2}
.state-running{color:var(--good)}.state-failed{color:var(--alarm)}.state-interrupted{color:var(--muted)}
footer{margin-top:3rem;padding-top:1rem;border-top:1px solid var(--rule)}
@media print{@page{margin:14mm}body{padding:0;max-width:none;font-size:10pt;-webkit-print-color-adjust:exact;print-color-adjust:exact}
section{margin-top:1.5rem}figure,tr,.tile,.class-row,.callout{break-inside:avoid}h2,h3,h4{break-after:avoid}
.scroll{overflow:visible}tfoot{display:table-row-group}table{font-size:6.5pt}table .below,table .chip{font-size:.9em}th,td{padding:.15rem .2rem;white-space:normal}thead th.n{min-width:0}tbody th{position:static}
.tiles{grid-template-columns:repeat(4,1fr)}.grid2{grid-template-columns:1fr 1fr}.grid3{grid-template-columns:repeat(3,1fr)}
.samples{grid-template-columns:repeat(6,1fr)}.samples.three,.outcomes{grid-template-columns:repeat(3,1fr)}.histograms{grid-template-columns:repeat(4,1fr)}
.jump,.skip,.viewer,.numbers{display:none}.class-images,.case{break-inside:avoid}.plot>.scroll>svg{min-width:0}}
`;
