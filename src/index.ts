/**
 * The public names of tailray, by the room they come from. Whatever is exported here is kept stable; everything else may
 * move.
 */

export { type DataSource, type DataSourceOptions, resolveDataSource } from './data/data-source.js';
export { Dataset, openDataset } from './data/dataset.js';
export type { LabelledSamples } from './data/expected-visits.js';
export { type Batch, BatchLoader } from './data/loader.js';
export type { Preprocessing } from './data/preprocessing.js';
export { type SampledFrequencies, sampledFrequencies } from './data/sampled-frequencies.js';
export type { Sampler } from './data/sampler.js';
export { createSampler, type SamplerChoice } from './data/sampler-choice.js';
export { splitByPatient } from './data/split.js';
export { type LabelTable, readTable } from './data/table.js';
export { type OpenDeviceOptions, openDevice } from './engine/adapters/open-device.js';
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
export type { Program } from './engine/program.js';
export { Random } from './engine/random.js';
export { store } from './engine/store.js';
export { applyOne, Graph, type Op, type Shape, type Tensor } from './engine/tensor.js';
export { logitShifts, shiftProbability } from './eval/logit-adjustment.js';
export type { BootstrapOptions, Interval } from './eval/metrics/bootstrap.js';
export { MetricError } from './eval/metrics/metric-error.js';
export type { SummarizeOptions, Summary } from './eval/metrics/summarize.js';
export { type ClassifierRows, scaleProbability, tauFactors } from './eval/tau-normalisation.js';
export { ExportError } from './export/export-error.js';
export { exportOnnx, type OnnxExportOptions } from './export/export-onnx.js';
export { HubError } from './hub/hub-error.js';
export type { HubOptions, HubProgress } from './hub/hub-settings.js';
export { type InspectOptions, inspectData } from './inspect/inspect-data.js';
export type { Inspection } from './inspect/inspection.js';
export { grad } from './kernels/grad.js';
export type { ClassStatistics } from './losses/class-statistics.js';
export { defineLoss, type LossDefinition } from './losses/define-loss.js';
export {
  type EvaluateLossOptions,
  evaluateLoss,
  type LossChoice,
  type LossResult,
} from './losses/evaluate-loss.js';
export { type Logistic, logistic } from './losses/logistic.js';
export type { BoundLoss, Loss, Moment } from './losses/loss.js';
export { LossError } from './losses/loss-error.js';
export { registeredLosses, registerLoss } from './losses/registry.js';
export { type LossOptions, type Reduction, traceLoss } from './losses/trace-loss.js';
export * as metrics from './metrics.js';
export { architectures, defineModel, type ModelConfig, type ModelDefinition } from './models/model.js';
export {
  readSafetensors,
  type SafetensorsFile,
  type SafetensorsTensor,
  writeSafetensors,
} from './models/safetensors.js';
export type { TensorDifference } from './models/tensor-differences.js';
export { exportTimm, importTimm, type ModelWeights } from './models/timm-weights.js';
export { fromTorchvision } from './models/torchvision-names.js';
export { WeightsError } from './models/weights-error.js';
export * as ops from './ops.js';
export { type CardOptions, writeModelCard } from './report/model-card.js';
export { type Checkpoint, readCheckpoint, writeCheckpoint } from './train/checkpoint.js';
export { CheckpointError } from './train/checkpoint-error.js';
export { Classifier } from './train/classifier.js';
export { type CreateModelOptions, createModel, type ImageBatchShape, Model } from './train/create-model.js';
export { type Evaluation, evaluatePredictions } from './train/evaluation.js';
export { checkpointAsOnnx, checkpointAsStateDict } from './train/export-checkpoint.js';
export { type LossFile, readLossFile } from './train/loss-file.js';
export { predictDataset } from './train/predict.js';
export { type Predictions, readPredictions, writePredictions } from './train/predictions.js';
export { parseRecipe, resolveRecipe } from './train/recipe.js';
export type { Recipe } from './train/recipe-schema.js';
export { RunDirectory } from './train/run-directory.js';
export { planRun, type RunPlan, type RunRequest } from './train/run-plan.js';
export { type ScoreImagesOptions, scoreImages } from './train/score-images.js';
export { type TrainRunObserver, type TrainRunOptions, trainRun } from './train/train-run.js';
export { examineTrainingData, type TrainingData } from './train/training-data.js';
