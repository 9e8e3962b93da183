#!/usr/bin/env node
/** `zeroshot`: scores for findings that nobody labelled, the choice of their rules, their evaluation; embeddings, search. */
import { command, runCommand } from './command.js';
import { addEmbed } from './zeroshot/embed.js';
import { addEvaluate } from './zeroshot/evaluate.js';
import { addScore } from './zeroshot/score.js';
import { addSearch } from './zeroshot/search.js';
import { addTune } from './zeroshot/tune.js';

const program = command('zeroshot');
for (const add of [addScore, addTune, addEvaluate, addEmbed, addSearch]) add(program);

await runCommand(program);
