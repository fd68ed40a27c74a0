PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
COLAB := .venv-colab
LESSONS := $(sort $(wildcard notebooks/[0-9]*.ipynb))
SOLUTIONS := $(sort $(wildcard notebooks/solutions/[0-9]*.ipynb))

.PHONY: help lab lesson clean
.DELETE_ON_ERROR:

# What there is: the comments below that begin with "make", in the students' zip those before its end.
help:
	@sed -n $(if $(wildcard tests),,-e '/^ifneq/q') -e 's/^# make/make/p' Makefile

# make lab         open the lessons in JupyterLab, as copies in my-lessons/    (ARGS="--no-browser --port 9000")
lab: $(READY)
	$(BIN)/python tools/lab.py $(ARGS)

# make lesson      put a fresh copy of a lesson into my-lessons/; the old one stays beside it    (LESSON=04)
lesson: $(READY)
	$(BIN)/python tools/lab.py --fresh "$(LESSON)"

# make clean       remove the environments and what tests left behind
clean:
	rm -rf .venv $(COLAB) .pytest_cache .mypy_cache .ruff_cache .coverage .hypothesis test-artefacts dist slides build *.egg-info

define VENV
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
    { echo "GAN Lessons needs Python 3.11 or newer; name yours: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
endef

# The environment is made anew whenever what it is made from has changed.
$(READY): requirements.lock pyproject.toml tools/uv tools/jupyterlab.json
	$(VENV)
	sh tools/uv pip install --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock
	sh tools/uv pip install --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@mkdir -p .venv/share/jupyter/lab/settings
	@cp tools/jupyterlab.json .venv/share/jupyter/lab/settings/overrides.json
	@touch $@

# From here on what the students' zip has not: it needs a clone.
ifneq ($(wildcard tests),)
.PHONY: lint quick test mutants device-test record slides lock handout colab-test

# make lint        style and types alone
lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# make quick       style, types and the fast tests, in about a minute    (ARGS="-k losses" goes to pytest)
quick: lint
	$(BIN)/python -m pytest -m "not slow and not browser" $(or $(ARGS),--cov=gan_lessons)

# make test        prove that everything works: style and types, all tests and how much they cover, all notebooks
test: lint
	$(BIN)/python -m pytest --cov=gan_lessons
	$(BIN)/python -m tools.run_notebooks

# make mutants     break the package on purpose, one mistake at a time, and name those that no test notices    (ARGS="--only metrics.py")
mutants: $(READY)
	$(BIN)/python tools/mutants.py $(ARGS)

# make device-test run lessons and solutions on a pretended GPU of each kind, and list what a real one would refuse
device-test: $(READY)
	$(BIN)/python -m tools.device_test $(ARGS)

# make record      run notebooks and keep their outputs      (ARGS="notebooks/04_mlp_gan.ipynb")
record: $(READY)
	$(BIN)/python -m tools.record $(or $(ARGS),$(LESSONS) $(SOLUTIONS))

# make slides      make slides that need no network when they are shown, in slides/    (LESSON=04; without it all lessons)
slides: $(READY)
	$(BIN)/python tools/slides.py $(LESSON)

# make lock        choose the newest versions anew
lock: $(READY)
	sh tools/uv pip compile pyproject.toml --extra test --universal --python-version 3.11 --upgrade \
	    --generate-hashes --no-header --no-emit-index-url --quiet --output-file requirements.lock
	sh tools/uv pip compile tests/colab/requirements.txt --universal --python-version 3.11 --upgrade \
	    --generate-hashes --no-header --no-emit-index-url --quiet --output-file tests/colab/requirements.lock

# make handout     pack dist/gan-lessons-students.zip: everything a student needs, without solutions
handout: $(READY)
	$(BIN)/python tools/handout.py

# make colab-test  run each lesson from its own file alone, on Colab's versions    (LESSONS="00 04 09" for some)
# Colab itself has Python 3.13: make colab-test PYTHON=python3.13 where there is one.
colab-test: $(COLAB)/ready
	$(COLAB)/bin/python -m tools.colab_test $(LESSONS)

# Its own environment, since Colab's versions are older; .venv is there for uv alone.
$(COLAB)/ready: tests/colab/requirements.lock tools/uv
	$(VENV)
	rm -rf $(COLAB)
	sh tools/uv venv --quiet --python $(PYTHON) $(COLAB)
	sh tools/uv pip install --python $(COLAB)/bin/python --compile-bytecode --require-hashes -r tests/colab/requirements.lock
	@touch $@

endif
