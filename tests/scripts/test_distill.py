"""`scripts/distill.py` trains a student on what a trained net says, beside the same student alone."""

from kerastrash.files import read_csv
from kerastrash.models.saved import open_model


def test_a_student_is_distilled_beside_the_same_student_alone(script, tmp_path, arguments):
    teacher = ["--net", tmp_path / "net.yaml", "--input-size", 32, "--name", "teacher"]
    assert script("train", *arguments, *teacher)[0] == 0
    student = ["--net", tmp_path / "net.yaml", "--input-size", 16, "--name", "student", "--alone", "--features", 1]
    teachers = ["--teachers", tmp_path / "runs" / "teacher" / "best.keras"]
    for _ in range(2):  # the second call finds everything done
        status, out, error = script("distill", *arguments, *student, *teachers)
        assert status == 0, error
        for line in ("teacher ", "student distilled", "student alone"):
            assert line in out
        assert out.count("on the test split") == 3
    folder = tmp_path / "runs" / "student"
    assert (folder / "report.md").exists() and (folder / "score.json").exists()
    assert [len(read_csv(place / "metrics.csv")) for place in (folder, folder / "alone")] == [3, 3]
    assert open_model(folder / "best.keras").output_shape == (None, 2)
    losses = [read_csv(place / "metrics.csv")[0]["loss"] for place in (folder, folder / "alone")]
    assert losses[0] != losses[1]


def test_without_a_teacher_it_says_how_to_name_one(script, arguments):
    status, _, error = script("distill", *arguments)
    assert status == 2
    assert "teachers: none is given" in error
    assert "--teacher-weights efficientnet_lite0" in error


def test_a_setting_out_of_range_is_named(script, tmp_path, arguments):
    status, _, error = script("distill", *arguments, "--teachers", "a.keras", "--hard-share", 2)
    assert status == 2
    assert "--hard-share=2.0 must lie in [0, 1]" in error
