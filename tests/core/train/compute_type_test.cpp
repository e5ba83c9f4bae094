#include "core/train/compute_type.h"

#include "core/backend/backend.h"
#include "tests/support/register.h"

using namespace moe;

/// The number type of a run that leaves the choice.
class ComputeTypeTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void whatARunSaysIsTaken() {
    RunConfig config = runConfigOfPreset("mixtral");
    for (const DType type : {DType::f32, DType::f64, DType::bf16}) {
      config.computeType = type;
      QCOMPARE(chosenComputeType(config), type);
    }
  }
  void aWideModelTakesBf16WhereTheProcessorHasIt() {
    const RunConfig config = runConfigOfPreset("mixtral");
    QVERIFY(!config.computeType);
    QCOMPARE(chosenComputeType(config), canCompute("onednn", DType::bf16) ? DType::bf16 : DType::f32);
  }
  void aNarrowModelAndTheReferenceStayInF32() {
    RunConfig config = runConfigOfPreset("mixtral");
    config.backend = "reference";
    QCOMPARE(chosenComputeType(config), DType::f32);
    config.backend = "onednn";
    setByPath(config, "model.width", "32");
    QCOMPARE(chosenComputeType(config), DType::f32);
    config = runConfigOfPreset("mixtral");
    setByPath(config, "experts.hidden", "16");
    QCOMPARE(chosenComputeType(config), DType::f32);
  }
  void whatWasTunedSaysWhatItWasTunedIn() {
    for (const char* preset : {"collapse", "collapse-aux", "collapse-bias"})
      QCOMPARE(runConfigOfPreset(preset).computeType, std::optional(DType::f32));
  }
};
SWITCHYARD_TEST(ComputeTypeTest)
#include "compute_type_test.moc"
