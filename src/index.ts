/**
 * The public names of tailray, by the room they come from. Whatever is exported here is kept stable; everything else may
 * move.
 */

import { offerToLossFiles } from './recipe/loss-file.js';

export { PictureCache, type PictureCacheOptions } from './data/cache/picture-cache.js';
export { Dataset, openDataset } from './data/dataset.js';
export type { GreyImage } from './data/images/decode.js';
export { type GreyPixels, type PreparedImage, prepareImage, preparePicture } from './data/images/prepare.js';
export type { Preprocessing } from './data/images/preprocessing.js';
export { type Batch, BatchLoader } from './data/loader.js';
export type { LabelledSamples } from './data/sampling/expected-visits.js';
export { type SampledFrequencies, sampledFrequencies } from './data/sampling/sampled-frequencies.js';
export type { Sampler } from './data/sampling/sampler.js';
export { createSampler, type SamplerChoice } from './data/sampling/sampler-choice.js';
export { type DataSource, type DataSourceOptions, resolveDataSource } from './data/tables/data-source.js';
export { splitByPatient } from './data/tables/split.js';
export { type LabelTable, readTable } from './data/tables/table.js';
export { Arena, ArenaLayout } from './engine/arena.js';
export { type CompileOptions, compile } from './engine/compile.js';
export { Device } from './engine/device.js';
export {
  AdapterError,
  DeviceLostError,
  KernelError,
  OutOfMemoryError,
  ShapeError,
  TailrayError,
} from './engine/errors.js';
export { applyOne, Graph, type Op, type Shape, type Tensor } from './engine/graph/tensor.js';
export { Random } from './engine/random.js';
export type { Program } from './engine/run/program.js';
export { store } from './engine/store.js';
export { logitShifts, shiftProbability } from './eval/logit-adjustment.js';
export type { BootstrapOptions } from './eval/metrics/bootstrap.js';
export type { ClassMeasures } from './eval/metrics/class-measures.js';
export type { ComparedMetric, ComparedScores, CompareScoresOptions } from './eval/metrics/compare-scores.js';
export type { DeLongOptions, TestedDifference } from './eval/metrics/delong.js';
export type { Interval } from './eval/metrics/interval.js';
export type { GroupMeasures, MeasuredScores, MeasureOptions } from './eval/metrics/measure-scores.js';
export { MetricError } from './eval/metrics/metric-error.js';
export type { Measures } from './eval/metrics/score-sheet.js';
export type { MeasuredColumn, MeasuredSubgroup, SubgroupGap } from './eval/metrics/subgroups.js';
export type { SummarizeOptions, Summary } from './eval/metrics/summarize.js';
export { type ClassifierRows, scaleProbability, tauFactors } from './eval/tau-normalisation.js';
export { ExplainError } from './explain/explain-error.js';
export {
  type ExplainedImages,
  type ExplainImagesOptions,
  type ExplainRow,
  explainImages,
} from './explain/explain-images.js';
export { EXPLAIN_METHODS, type ExplainMethod } from './explain/maps/method.js';
export { type Mask, type MaskSource, maskFolder } from './explain/pointing/mask.js';
export { measurePointing, type PointingOptions, type PointingRow } from './explain/pointing/pointing.js';
export { ExportError } from './export/export-error.js';
export { exportOnnx, type OnnxExportOptions } from './export/export-onnx.js';
export { HubError } from './hub/hub-error.js';
export type { HubOptions, HubProgress } from './hub/hub-settings.js';
export { type InspectOptions, inspectData } from './inspect/inspect-data.js';
export type { Inspection } from './inspect/inspection.js';
export { grad } from './kernels/common/grad.js';
export type { ClassStatistics } from './losses/define/class-statistics.js';
export { defineLoss, type LossDefinition } from './losses/define/define-loss.js';
export { type Logistic, logistic } from './losses/define/logistic.js';
export type { BoundLoss, Loss, Moment } from './losses/define/loss.js';
export { LossError } from './losses/define/loss-error.js';
export { type LossOptions, type Reduction, traceLoss } from './losses/define/trace-loss.js';
export {
  type EvaluateLossOptions,
  evaluateLoss,
  type LossChoice,
  type LossResult,
} from './losses/evaluate-loss.js';
export { registeredLosses, registerLoss } from './losses/registry.js';
export * as metrics from './metrics.js';
export { type ClipConfig, huggingFaceClipConfig, openClipConfig } from './models/clip/clip-config.js';
export type { Lora, LoraLayers } from './models/lora.js';
export { architectures, defineModel, type ModelConfig, type ModelDefinition } from './models/model.js';
export {
  readSafetensors,
  type SafetensorsFile,
  type SafetensorsTensor,
  writeSafetensors,
} from './models/safetensors/safetensors.js';
export { mergeAdapters } from './models/weights/merge-adapters.js';
export type { TensorDifference } from './models/weights/tensor-differences.js';
export { exportTimm, importTimm, type ModelWeights } from './models/weights/timm-weights.js';
export { fromTorchvision } from './models/weights/torchvision-names.js';
export { WeightsError } from './models/weights/weights-error.js';
export * as ops from './ops.js';
export { defineOptimizer, type OptimizerDefinition } from './optimizers/define/define-optimizer.js';
export type { BoundOptimizer, Optimizer, UpdateMoment } from './optimizers/define/optimizer.js';
export { OptimizerError } from './optimizers/define/optimizer-error.js';
export { registeredOptimizers, registerOptimizer } from './optimizers/registry.js';
export { type OpenDeviceOptions, openDevice } from './platform/node/open-device.js';
export { Classifier } from './predict/classifier.js';
export { type CreateModelOptions, createModel, type ImageBatchShape, Model } from './predict/create-model.js';
export { type EnsembleMember, ensemblePredictions } from './predict/ensemble.js';
export { type Evaluation, evaluatePredictions } from './predict/evaluation.js';
export { gatePredictions } from './predict/gate-predictions.js';
export { type Ladder, type LadderStep, measureLadder } from './predict/ladder.js';
export { predictDataset } from './predict/predict.js';
export { type Predictions, readPredictions, writePredictions } from './predict/predictions.js';
export { type ScoreImagesOptions, scoreImages } from './predict/score-images.js';
export type { Scorer } from './predict/scorer.js';
export { checkSubmission, type SubmissionReport } from './predict/submission/check-submission.js';
export { writeSubmission } from './predict/submission/submission.js';
export type { View } from './predict/views/view.js';
export { type TestTimeViews, ViewScorer } from './predict/views/view-scorer.js';
export { type ViewSet, viewsOf } from './predict/views/views.js';
export { type LossFile, readLossFile } from './recipe/loss-file.js';
export { parseRecipe, resolveRecipe } from './recipe/recipe.js';
export type { Recipe } from './recipe/recipe-schema.js';
export { type CardOptions, writeModelCard } from './report/model-card.js';
export { type PreparedRun, type PrepareOptions, prepareRun } from './train/run/prepare-run.js';
export { RunDirectory } from './train/run/run-directory.js';
export type { RunEvent, RunListener } from './train/run/run-event.js';
export { planRun, type RunPlan, type RunRequest } from './train/run/run-plan.js';
export type { SessionOptions } from './train/run/session.js';
export { ExaminedSets } from './train/run/stage-data.js';
export { trainRun } from './train/run/train-run.js';
export { examineTrainingData, type TrainingData } from './train/run/training-data.js';
export { averageCheckpoints } from './weights/average-checkpoints.js';
export { type Checkpoint, readCheckpoint, writeCheckpoint } from './weights/checkpoint.js';
export { CheckpointError } from './weights/checkpoint-error.js';
export { checkpointAsOnnx, checkpointAsStateDict } from './weights/export-checkpoint.js';
export { type GreedySoup, greedySoup } from './weights/greedy-soup.js';
export { type StackingCurve, stackingCurve, stackScores } from './zeroshot/calibrated-stacking.js';
export { Clip, type CreateClipOptions, createClip } from './zeroshot/clip.js';
export { ClipError } from './zeroshot/clip-error.js';
export {
  evaluateSeenAndUnseen,
  type GeneralisedOptions,
  type GeneralisedResult,
} from './zeroshot/evaluate-predictions.js';
export { evaluateGeneralised, type GeneralisedEvaluation } from './zeroshot/generalised.js';
export type { ImageTextModel, ImageTextTraining, TextSide } from './zeroshot/image-text-model.js';
export { type OpenModelOptions, openImageTextModel } from './zeroshot/open-image-text-model.js';
export { type PromptSet, parsePrompts, readPrompts } from './zeroshot/prompts.js';
export type { Candidate } from './zeroshot/proxy-candidates.js';
export { type ProxyUnseenOptions, type ProxyUnseenResult, proxyUnseen } from './zeroshot/proxy-unseen.js';
export {
  defineRule,
  type RuleChoice,
  type RuleDefinition,
  type ScoringRule,
  type SeenScores,
} from './zeroshot/scoring/rule.js';
export {
  scoreZeroShot,
  type ZeroShotOptions,
  type ZeroShotScores,
} from './zeroshot/scoring/score-zeroshot.js';
export { ScoringError, UnseenLabelError } from './zeroshot/scoring/scoring-error.js';
export { registeredScoringRules, registerScoringRule } from './zeroshot/scoring/scoring-rules.js';
export {
  type ClassEmbeddings,
  embedPrompts,
  type TextEmbeddings,
} from './zeroshot/scoring/text-embeddings.js';
export { ClipTokenizer, type TokenizedTexts } from './zeroshot/tokens/tokenizer.js';

// a loss file imports 'tailray', which is this module; by its address, so that it stays so in a bundle
offerToLossFiles('tailray', () => import(import.meta.url));
