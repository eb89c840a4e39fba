import type { ReadyRelease } from '../repository/dist.ts'
import type { FlowTools } from './tools.ts'
import type { UploadedPlace } from './upload-report.ts'
import type { PublishSettings } from './upload-settings.ts'

/** Tell those who want to know that a release is published. */
export async function announceUpload(
  _settings: PublishSettings,
  _upload: { readonly release: ReadyRelease; readonly places: readonly UploadedPlace[] },
  _tools: FlowTools,
): Promise<void> {}
